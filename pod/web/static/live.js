// SPDX-License-Identifier: EUPL-1.2
// Where a page waits for evidence, ask for it again, quietly, and put the new
// contents in place when they have changed. Without this the person looks again:
// a page that reloads by itself takes the reader's place away (WCAG 2.2.1).
"use strict";
(() => {
  const every = 2000, atMost = 150;
  const notice = document.getElementById("live");
  const textOf = (main) => main.textContent.replace(/\s+/g, " ");
  let left = atMost;

  const ask = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
    if (!answer.ok || answer.headers.has("Refresh")) { // signed out, ended, or answered elsewhere
      location.reload();
      return false;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const was = document.getElementById("main"), is = page.getElementById("main");
    if (textOf(was) === textOf(is)) return true;
    const waiting = is.hasAttribute("data-live"), focused = was.contains(document.activeElement);
    was.replaceWith(is);
    document.title = page.title;
    if (focused) is.focus();
    notice.textContent = waiting ? is.querySelector("h1").textContent : notice.dataset.ready;
    return waiting;
  };

  const again = () => setTimeout(async () => {
    let on = true;
    try { on = document.hidden || await ask(); } catch { /* offline: try again */ }
    if (on && --left > 0) again();
  }, every);
  again();
})();
