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
    choose(input) {
      input.click();
    },
  };

  Blazor.start({ circuit: { reconnectionHandler: reconnection }, ssr: { disableDomPreservation: true } });
})();
