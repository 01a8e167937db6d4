// Files that are chosen or dropped go up one after the other, in pieces, and go on where they were when the line was
// cut, or when the same file is chosen again after the page was closed. The agent keeps how far each is.
"use strict";
(() => {
  const pieceBytes = 32 << 20;
  const retryMsMax = 10_000;
  // What trying again does not mend; the rest may.
  const finals = ["BadInput", "Denied", "Unauthenticated", "Full", "ReadOnly", "Conflict", "Unsupported"];
  const items = [];
  let last = 0;
  let isRunning = false;
  let page = null;
  let toldAt = 0;
  let later = 0;

  class Refusal extends Error {
    constructor(answer) {
      super(answer?.message ?? "");
      this.isFinal = finals.includes(answer?.kind);
      this.isGone = answer?.kind === "NotFound";
    }
  }

  const shown = item => ({
    id: item.id, account: item.account, path: item.path, size: item.file.size, done: item.done, state: item.state,
    problem: item.problem,
  });

  function tell(isUrgent) {
    clearTimeout(later);
    const wait = isUrgent ? 0 : 200 - (performance.now() - toldAt);
    if (wait > 0) {
      later = setTimeout(tell, wait, true);
      return;
    }
    toldAt = performance.now();
    tellNow();
  }

  async function tellNow() {
    try {
      await page?.invokeMethodAsync("Changed", items.map(shown));
    } catch {
      // A page whose connection is lost is told when it is back.
      clearTimeout(later);
      later = setTimeout(tell, 1000, true);
    }
  }

  async function ask(method, path, body) {
    const answer = await fetch(path, {
      method, redirect: "manual", cache: "no-store",
      headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body),
    });
    // Signed out: the page itself leads to signing in.
    if (answer.type === "opaqueredirect" || answer.status === 401) throw new Refusal({ kind: "Unauthenticated" });
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => null);
    if (!answer.ok) throw new Refusal(content);
    return content;
  }

  function send(item, from) {
    return new Promise((resolve, reject) => {
      const request = item.request = new XMLHttpRequest();
      request.open("PATCH", `/uploads/${item.upload}?offset=${from}`);
      request.upload.onprogress = e => {
        item.done = from + e.loaded;
        tell();
      };
      request.onloadend = () => {
        item.request = null;
        let answer = null;
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          // A line that was cut says nothing.
        }
        if (request.status === 200 && answer) resolve(answer);
        else reject(request.status === 401 ? new Refusal({ kind: "Unauthenticated" }) : new Refusal(answer));
      };
      request.send(item.file.slice(from, from + pieceBytes));
    });
  }

  async function bring(item) {
    const begin = { account: item.account, path: item.path, length: item.file.size, key: item.key };
    let waitMs = 250;
    while (item.state !== "ended") {
      try {
        let known = item.upload ? await ask("GET", `/uploads/${item.upload}`) : await ask("POST", "/uploads", begin);
        item.upload = known.id;
        while (!known.entry && item.state !== "ended") {
          item.state = "running";
          item.done = known.offset;
          tell();
          known = await send(item, known.offset);
          waitMs = 250;
        }
        return;
      } catch (error) {
        if (item.state === "ended") return;
        if (error.isFinal) throw error;
        if (error.isGone) item.upload = null;
        item.state = "waiting";
        tell();
        await new Promise(done => {
          item.wake = done;
          setTimeout(done, waitMs);
        });
        waitMs = Math.min(retryMsMax, waitMs * 2);
      }
    }
  }

  async function run() {
    if (isRunning) return;
    isRunning = true;
    for (let item; (item = items.find(i => i.state === "queued"));) {
      try {
        await bring(item);
        if (item.state !== "ended") {
          item.done = item.file.size;
          item.state = "done";
        }
      } catch (error) {
        item.state = "failed";
        item.problem = error.message;
        // Nobody goes on with what can't be.
        if (item.upload) ask("DELETE", `/uploads/${item.upload}`).catch(() => {});
        item.upload = null;
      }
      tell(true);
    }
    isRunning = false;
  }

  function add(account, folder, files) {
    for (const { file, path } of files) {
      const target = folder ? `${folder}/${path}` : path;
      if (items.some(i => i.account === account && i.path === target && ["queued", "running", "waiting"].includes(i.state)))
        continue;
      items.push({
        id: ++last, account, path: target, file, key: `${file.size} ${file.lastModified}`, done: 0, state: "queued",
        upload: null, problem: null,
      });
    }
    tell(true);
    run();
  }

  // Dropped folders are walked: what they hold keeps its place in them.
  async function filesOf(transfer) {
    const found = [];
    const walk = async (entry, prefix) => {
      if (entry.isFile) {
        const file = await new Promise((done, failed) => entry.file(done, failed)).catch(() => null);
        if (file) found.push({ file, path: prefix + file.name });
        return;
      }
      const reader = entry.createReader();
      for (let more; (more = await new Promise((done, failed) => reader.readEntries(done, failed)).catch(() => [])).length;)
        for (const inner of more) await walk(inner, `${prefix}${entry.name}/`);
    };
    const files = [...transfer.files];
    const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(entry => entry);
    if (entries.length === 0) return files.map(file => ({ file, path: file.name }));
    for (const entry of entries) await walk(entry, "");
    return found;
  }

  const zoneOf = e => e.dataTransfer?.types.includes("Files") ? e.target.closest?.("[data-upload-account]") : null;
  let dropping = null;
  const mark = zone => {
    dropping?.classList.remove("dropping");
    dropping = zone;
    dropping?.classList.add("dropping");
  };
  document.addEventListener("dragover", e => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    // A file that misses must not replace the page.
    e.preventDefault();
    mark(zoneOf(e));
  });
  document.addEventListener("dragleave", e => {
    if (!e.relatedTarget) mark(null);
  });
  document.addEventListener("drop", async e => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    const zone = zoneOf(e);
    mark(null);
    if (!zone) return;
    const { uploadAccount, uploadPath } = zone.dataset;
    add(uploadAccount, uploadPath, await filesOf(e.dataTransfer));
  });
  document.addEventListener("change", e => {
    if (e.target.type !== "file" || !e.target.dataset.uploadAccount) return;
    const { uploadAccount, uploadPath } = e.target.dataset;
    add(uploadAccount, uploadPath, [...e.target.files].map(file => ({ file, path: file.name })));
    e.target.value = "";
  });
  window.addEventListener("online", () => items.forEach(item => item.wake?.()));
  window.addEventListener("beforeunload", e => {
    if (items.some(item => ["queued", "running", "waiting"].includes(item.state))) e.preventDefault();
  });

  window.virgaUploads = {
    watch(reference) {
      page = reference;
      tell(true);
    },
    end(id) {
      const item = items.find(i => i.id === id);
      if (!item) return;
      const isOpen = ["queued", "running", "waiting"].includes(item.state);
      item.state = "ended";
      item.request?.abort();
      item.wake?.();
      if (isOpen && item.upload) ask("DELETE", `/uploads/${item.upload}`).catch(() => {});
      items.splice(items.indexOf(item), 1);
      tell(true);
    },
    again(id) {
      const item = items.find(i => i.id === id);
      if (!item) return;
      Object.assign(item, { state: "queued", problem: null });
      tell(true);
      run();
    },
    clear() {
      for (let i = items.length - 1; i >= 0; i--)
        if (["done", "failed"].includes(items[i].state)) items.splice(i, 1);
      tell(true);
    },
  };
})();
