// The first run with a backup: sends the file, says beside the field what is wrong with it, and then waits until the
// agent of the backup answers.
"use strict";
(() => {
  const form = document.getElementById("restore-form");
  const told = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  const lateMs = 60_000;
  const againMs = 300;

  function tell(field, text) {
    const input = form.elements[field];
    const place = document.getElementById(`${input.id}-more`);
    place.textContent = "";
    input.closest(".field").classList.toggle("wrong", text !== null);
    if (text === null) {
      input.removeAttribute("aria-invalid");
      return;
    }
    input.setAttribute("aria-invalid", "true");
    const error = document.createElement("span");
    error.className = "error";
    error.setAttribute("role", "alert");
    error.textContent = text;
    place.append(error);
  }

  async function waitFor(agent) {
    const begun = performance.now();
    for (;;) {
      const answer = await fetch(form.action, { cache: "no-store" }).catch(() => null);
      // A session that the agent of the backup doesn't know leads to signing in.
      if (answer?.redirected) return location.assign(answer.url);
      if (answer?.ok && (await answer.json().catch(() => ({}))).agent === agent) return location.assign("/");
      if (performance.now() - begun > lateMs) told.textContent = form.dataset.late;
      await new Promise(done => setTimeout(done, againMs));
    }
  }

  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (button.disabled) return;
    const file = form.elements.file.files[0];
    tell("file", file ? null : form.dataset.nofile);
    tell("passphrase", form.elements.passphrase.value ? null : form.dataset.nopassphrase);
    const wrong = form.querySelector("[aria-invalid]");
    if (wrong) return wrong.focus();
    button.disabled = true;
    told.textContent = form.dataset.reading;
    // The passphrase first: with it the file is read as it comes.
    const sent = new FormData();
    sent.append("passphrase", form.elements.passphrase.value);
    sent.append("file", file);
    try {
      const answer = await fetch(form.action, { method: "POST", body: sent });
      const content = await answer.json();
      if (answer.ok) {
        told.textContent = form.dataset.starting;
        await waitFor(content.agent);
        return;
      }
      tell(content.field, content.message);
      form.elements[content.field].focus();
    } catch {
      tell("file", form.dataset.cut);
    }
    told.textContent = "";
    button.disabled = false;
  });
})();
