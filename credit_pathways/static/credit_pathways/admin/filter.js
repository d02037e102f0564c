// Select2 gives its fields no name that is read aloud: they get that of their label;
// nor does it say, as WAI-ARIA 1.2 wants, which list is open.
(() => {
  "use strict";

  const name = (select) => {
    const words = document.querySelector(`label[for="${select.id}"]`).textContent.trim();
    const give = (selector) => document.querySelector(selector).setAttribute("aria-label", words);
    const combobox = select.parentElement.querySelector("[role=combobox]");
    give(`#select2-${select.id}-container`);
    django.jQuery(select).on("select2:open", () => {
      give(".select2-search__field");
      give(".select2-results__options");
      combobox.setAttribute("aria-controls", `select2-${select.id}-results`);
    });
  };

  // After Django's own script, which waits for jQuery too.
  window.addEventListener("load", () => {
    django.jQuery(() => document.querySelectorAll(".cp-filter .admin-autocomplete").forEach(name));
  });
})();
