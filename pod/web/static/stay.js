// SPDX-License-Identifier: EUPL-1.2
// Who reads or writes on a page for long is doing something: the server is told. Who
// doesn't is asked before the sign-in ends (WCAG 2.2.1); and if it has, what is written
// on the page stays there, and can be sent after a new sign-in elsewhere (2.2.5). Who
// presses twice sends once.
"use strict";
(() => {
  const bar = document.getElementById("stay"), soon = document.getElementById("stay-soon"), gone = document.getElementById("stay-gone");
  const idle = Number(bar.dataset.idle) * 1000, early = Math.min(120_000, idle / 3), often = Math.min(240_000, idle / 3);
  let told = Date.now(), busy = false, timer;

  // Other windows of the same browser keep the same sign-in.
  const others = "BroadcastChannel" in self ? new BroadcastChannel("skrin-stay") : undefined;
  const kept = () => {
    told = Date.now();
    bar.hidden = soon.hidden = gone.hidden = true;
    later();
  };
  const show = (what) => {
    soon.hidden = gone.hidden = true;
    what.hidden = bar.hidden = false;
  };
  // The clock tells, not the timer, which sleeps when the device does.
  const later = () => {
    clearTimeout(timer);
    const left = told + idle - Date.now();
    if (left > early) timer = setTimeout(later, left - early);
    else if (left <= 0) show(gone);
    else {
      show(soon);
      timer = setTimeout(later, left);
    }
  };
  const tell = async () => {
    if (busy) return;
    busy = true;
    try {
      const answer = await fetch("/me/stay", { method: "POST", credentials: "same-origin", cache: "no-store" });
      if (await answer.text() === "in") {
        kept();
        others?.postMessage("");
      } else show(gone);
    } catch { /* offline: by the next key */ }
    busy = false;
  };
  const active = () => {
    if (bar.hidden && Date.now() - told > often) tell();
  };
  for (const what of ["keydown", "pointerdown", "scroll"]) addEventListener(what, active, { passive: true, capture: true });
  document.getElementById("stay-now").addEventListener("click", tell);
  addEventListener("focus", () => { if (!gone.hidden) tell(); }); // back from signing in elsewhere
  let sent = 0;
  addEventListener("submit", (e) => {
    if (Date.now() - sent < 2000) e.preventDefault();
    else sent = Date.now();
  });
  addEventListener("pageshow", () => { sent = 0; }); // back again
  if (others) others.onmessage = kept;
  others?.postMessage("");
  kept();
})();
