// What the page needs of the browser beyond Blazor. No framework, nothing from another host.
"use strict";
(() => {
  const lost = document.getElementById("lost");

  // A lost connection is shown at once, and tried again until it is there; what the agent has forgotten is loaded anew.
  const reconnection = {
    trying: false,
    onConnectionDown() {
      if (this.trying) return;
      this.trying = true;
      lost.textContent = lost.dataset.waiting;
      lost.hidden = false;
      this.tryAgain(0);
    },
    async tryAgain(round) {
      while (this.trying) {
        try {
          if (await Blazor.reconnect()) return this.onConnectionUp();
          return location.reload();
        } catch {
          // The agent is there, and leads to signing in: this session was ended.
          const alive = await fetch("/alive", { redirect: "manual", cache: "no-store" }).catch(() => null);
          if (alive?.type === "opaqueredirect") return location.reload();
          round++;
          await new Promise(done => setTimeout(done, Math.min(5000, 250 * 2 ** round)));
        }
      }
    },
    onConnectionUp() {
      this.trying = false;
      lost.hidden = true;
    },
  };

  window.virga = {
    openDialog(dialog) {
      if (!dialog || dialog.open) return;
      dialog.showModal();
      dialog.querySelector("[data-focus]")?.focus();
    },
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        const input = document.createElement("textarea");
        input.value = text;
        (document.querySelector("dialog[open]") ?? document.body).append(input);
        input.select();
        const done = document.execCommand("copy");
        input.remove();
        return done;
      }
    },
    selectFocused() {
      document.activeElement?.select?.();
    },
    // A link that a share page brought behind the #: gone from the address, and so from the history, once it is taken.
    takeLink() {
      const brought = /^#((?:virga|magnet):.*)$/is.exec(location.hash)?.[1];
      if (brought === undefined) return null;
      history.replaceState(history.state, "", location.pathname + location.search);
      try {
        return decodeURI(brought);
      } catch {
        return brought;
      }
    },
    submit(id) {
      document.getElementById(id).submit();
    },
    focus(id) {
      document.getElementById(id)?.focus();
    },
    choose(input) {
      input.click();
    },
  };

  // In the picture of the graph arrows go to the nearest one that way, and Enter or the space bar chooses it.
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const middle = element => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  document.addEventListener("keydown", event => {
    const spot = event.target.closest?.(".trust-graph [role=button]");
    if (!spot || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      spot.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
      return;
    }
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const [x, y] = middle(spot.querySelector("circle"));
    let nearest = null;
    for (const other of spot.ownerSVGElement.querySelectorAll("[role=button]")) {
      const [ox, oy] = middle(other.querySelector("circle"));
      const along = (ox - x) * way[0] + (oy - y) * way[1];
      const aside = Math.abs((ox - x) * way[1]) + Math.abs((oy - y) * way[0]);
      if (other === spot || along <= 1) continue;
      const far = along + 2 * aside;
      if (!nearest || far < nearest.far) nearest = { other, far };
    }
    nearest?.other.focus({ preventScroll: true });
  });

  Blazor.start({ circuit: { reconnectionHandler: reconnection }, ssr: { disableDomPreservation: true } });
})();
