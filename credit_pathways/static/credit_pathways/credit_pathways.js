// What the pages do beyond plain HTML. Each of them works without this file.
"use strict";

const BUSY = "cpBusy";
// Whoever presses again after so many milliseconds means it: the browser's own Stop tells nobody.
const PATIENCE = 30_000;

// One press sends a form once, however often the button is pressed until the answer comes.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.closest(".cp")) return;
  if (Date.now() - (form.dataset[BUSY] ?? 0) < PATIENCE) return event.preventDefault();
  form.dataset[BUSY] = Date.now();
  const waiting = form.querySelector("[data-cp-waiting]");
  if (waiting) waiting.textContent = waiting.dataset.cpWaiting;
});

// A page that the browser kept, and shows again, takes a press again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll(".cp form")) delete form.dataset[BUSY];
  for (const waiting of document.querySelectorAll("[data-cp-waiting]")) waiting.textContent = "";
});

async function copy(button) {
  const answer = document.getElementById(button.getAttribute("aria-describedby"));
  answer.textContent = "";
  try {
    await navigator.clipboard.writeText(button.dataset.cpCopy);
    answer.textContent = answer.dataset.cpCopied;
  } catch {
    answer.textContent = answer.dataset.cpFailed;
  }
}

function show(selector, action) {
  for (const button of document.querySelectorAll(selector)) {
    button.hidden = false;
    button.addEventListener("click", () => action(button));
  }
}

show("[data-cp-print]", () => window.print());
show("[data-cp-copy]", copy);
