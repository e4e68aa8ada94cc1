// SPDX-License-Identifier: EUPL-1.2
// Asks the device for a passkey, and goes on when it is good.
"use strict";
const go = document.getElementById("go");
const post = (path, body) =>
  fetch(go.dataset.own + path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
go.addEventListener("click", async () => {
  document.getElementById("failed").hidden = true;
  try {
    const asked = await (await post("/begin")).json();
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.publicKey);
    const answer = await navigator.credentials.get({ publicKey });
    const done = await post("/finish", JSON.stringify(answer.toJSON()));
    if (!done.ok) throw new Error(done.status);
    location.assign(go.dataset.done);
  } catch {
    document.getElementById("failed").hidden = false;
  }
});
