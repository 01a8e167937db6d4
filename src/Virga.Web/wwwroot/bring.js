// Carries the link that a share page brought behind the # on: to the page that gets it, and through signing in. It
// stays behind the #, so that it is in no request, and is kept nowhere.
"use strict";
(() => {
  // From another site the browser sends no cookie with the first step; with this one, from here, it does.
  if (location.pathname === "/bring") return location.replace("/get" + location.hash);
  if (location.hash.length < 2) return;
  for (const form of document.querySelectorAll("form[method=post]"))
    form.action = (form.getAttribute("action") || location.pathname + location.search) + location.hash;
})();
