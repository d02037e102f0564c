// Enhancements of the pages, which all work without JavaScript.
"use strict";

const BUSY = "cpBusy";
// A form can be submitted again after this, because browsers have no event for their Stop button.
const RESUBMIT_AFTER_MS = 30_000;

// Submit a form only once, however often its button is pressed before the response arrives.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.closest(".cp")) return;
  if (Date.now() - (form.dataset[BUSY] ?? 0) < RESUBMIT_AFTER_MS) return event.preventDefault();
  form.dataset[BUSY] = Date.now();
  const waiting = form.querySelector("[data-cp-waiting]");
  if (waiting) waiting.textContent = waiting.dataset.cpWaiting;
});

// Make the forms usable again on a page that the browser restores from its back/forward cache.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll(".cp form")) delete form.dataset[BUSY];
  for (const waiting of document.querySelectorAll("[data-cp-waiting]")) waiting.textContent = "";
});

async function copy(button) {
  const status = document.getElementById(button.getAttribute("aria-describedby"));
  status.textContent = "";
  try {
    await navigator.clipboard.writeText(button.dataset.cpCopy);
    status.textContent = status.dataset.cpCopied;
  } catch {
    status.textContent = status.dataset.cpFailed;
  }
}

function enableButtons(selector, action) {
  for (const button of document.querySelectorAll(selector)) {
    button.hidden = false;
    button.addEventListener("click", () => action(button));
  }
}

enableButtons("[data-cp-print]", () => window.print());
enableButtons("[data-cp-copy]", copy);
