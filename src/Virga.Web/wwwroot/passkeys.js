// Passkeys: what the browser's navigator.credentials takes and gives, as the JSON that the agent gives and takes.
"use strict";
(() => {
  const toBytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
  const toText = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const withBytes = known => (known ?? []).map(one => ({ ...one, id: toBytes(one.id) }));

  // What browsers call it when nothing came of it.
  const reasons = {
    NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known", SecurityError: "unable",
    NotSupportedError: "unable",
  };

  async function post(path, body) {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}),
    });
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error(content.message), { told: content.message });
    return content;
  }

  function packed(credential, response) {
    return JSON.stringify({
      id: credential.id, rawId: toText(credential.rawId), type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(), response,
    });
  }

  async function make(proof) {
    const { mark, options } = await post("/passkey/new", proof);
    const credential = await navigator.credentials.create({
      publicKey: {
        ...options, challenge: toBytes(options.challenge), user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: withBytes(options.excludeCredentials),
      },
    });
    return {
      mark, credential: packed(credential, {
        clientDataJSON: toText(credential.response.clientDataJSON),
        attestationObject: toText(credential.response.attestationObject),
        transports: credential.response.getTransports?.() ?? [],
      }),
    };
  }

  async function prove(path) {
    const { mark, options } = await post(path);
    const credential = await navigator.credentials.get({
      publicKey: {
        ...options, challenge: toBytes(options.challenge), allowCredentials: withBytes(options.allowCredentials),
      },
    });
    const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
    return {
      mark, credential: packed(credential, {
        clientDataJSON: toText(clientDataJSON), authenticatorData: toText(authenticatorData),
        signature: toText(signature), userHandle: userHandle ? toText(userHandle) : undefined,
      }),
    };
  }

  const canDo = () => window.PublicKeyCredential !== undefined;

  window.virgaPasskeys = {
    canDo,
    // One more passkey: [] when it is there, else [reason, what the agent says].
    async add(name, password) {
      try {
        const proof = password === null ? { proof: await prove("/passkey/confirm") } : { password };
        await post("/passkey/add", { answer: await make(proof), name });
        return [];
      } catch (error) {
        return [reasons[error.name] ?? "failed", error.told ?? ""];
      }
    },
  };

  // Forms of pages without more script: the answer goes with the form.
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const told = form.querySelector("[role=alert]");
    const tell = text => {
      told.textContent = text;
      told.hidden = false;
    };
    if (!canDo()) {
      form.querySelector("button").disabled = true;
      tell(form.dataset.unable);
      continue;
    }
    let isBusy = false;
    form.addEventListener("submit", async event => {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      told.hidden = true;
      try {
        const answer = form.dataset.passkey === "make" ? await make() : await prove("/passkey/prove");
        form.querySelector("[name='Key.Mark']").value = answer.mark;
        form.querySelector("[name='Key.Credential']").value = answer.credential;
        form.submit();
      } catch (error) {
        tell(error.told ?? form.dataset[reasons[error.name] ?? "failed"]);
        isBusy = false;
      }
    });
  }
})();
