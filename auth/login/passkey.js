// SPDX-License-Identifier: EUPL-1.2
// Asks the device for a passkey, or to make one, and goes on when it is good.
"use strict";
const ask = (id, begin, finish, device) => {
  const button = document.getElementById(id);
  const failed = document.getElementById("failed");
  const post = (path, body) =>
    fetch(button.dataset.own + path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
  button?.addEventListener("click", async () => {
    failed.hidden = true;
    try {
      const asked = await (await post(begin)).json();
      const answer = await device(asked.publicKey);
      const done = await post(finish, JSON.stringify(answer.toJSON()));
      if (!done.ok) throw new Error(done.status);
      location.assign(button.dataset.done);
    } catch {
      failed.hidden = false;
    }
  });
};
ask("go", "/begin", "/finish", (publicKey) =>
  navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }));
ask("add", "/add/begin", "/add/finish", (publicKey) =>
  navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) }));
