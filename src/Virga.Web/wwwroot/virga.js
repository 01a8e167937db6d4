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
    // Files that are chosen or dropped go up one after the other; the page is told how far they are.
    uploads(zone, page) {
      const queue = [];
      let running = false;
      let last = 0;
      const add = files => {
        for (const file of files) queue.push({ id: ++last, file });
        page.invokeMethodAsync("Queued", queue.map(q => [String(q.id), q.file.name, String(q.file.size)]));
        if (!running) next();
      };
      const next = async () => {
        const item = queue.shift();
        running = item !== undefined;
        if (!running) return;
        const url = await page.invokeMethodAsync("Target", item.file.name);
        const request = new XMLHttpRequest();
        let told = 0;
        request.open("PUT", url);
        request.setRequestHeader("If-None-Match", "*");
        request.upload.onprogress = e => {
          if (performance.now() - told < 200) return;
          told = performance.now();
          page.invokeMethodAsync("Progress", item.id, e.loaded);
        };
        request.onloadend = async () => {
          let problem = null;
          if (request.status < 200 || request.status > 299) {
            try {
              problem = JSON.parse(request.responseText).message;
            } catch {
              problem = "";
            }
          }
          await page.invokeMethodAsync("Ended", item.id, problem);
          next();
        };
        request.send(item.file);
      };
      let depth = 0;
      const holdsFiles = e => e.dataTransfer?.types.includes("Files");
      zone.addEventListener("dragenter", e => {
        if (!holdsFiles(e)) return;
        depth++;
        zone.classList.add("dropping");
      });
      zone.addEventListener("dragleave", e => {
        if (holdsFiles(e) && --depth <= 0) zone.classList.remove("dropping");
      });
      zone.addEventListener("dragover", e => {
        if (holdsFiles(e)) e.preventDefault();
      });
      zone.addEventListener("drop", e => {
        if (!holdsFiles(e)) return;
        e.preventDefault();
        depth = 0;
        zone.classList.remove("dropping");
        add(e.dataTransfer.files);
      });
      zone.addEventListener("change", e => {
        if (e.target.type !== "file") return;
        add(e.target.files);
        e.target.value = "";
      });
    },
    choose(input) {
      input.click();
    },
  };

  Blazor.start({ circuit: { reconnectionHandler: reconnection }, ssr: { disableDomPreservation: true } });
})();
