// A chart beside each table of the report, drawn from the table's own numbers, which stay readable without it.
// Dark and light, not red and green: the two series differ without colour too.
(() => {
  "use strict";
  const FIRST = "#1f4e79";
  const REPEATS = "#b8d0e8";

  const names = (row) => [...row.querySelectorAll("th, td:not([data-number])")].map((cell) => cell.textContent).join(", ");
  const numbers = (rows, column) => rows.map((row) => Number(row.querySelectorAll("[data-number]")[column].dataset.number));
  const shortened = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);
  const series = (label, data, color) => ({ label, data, backgroundColor: color, borderColor: FIRST, borderWidth: 1 });

  for (const table of document.querySelectorAll("table[data-chart]")) {
    const byMonth = table.dataset.chart === "month";
    const rows = [...table.tBodies[0].rows].slice(0, Number(table.dataset.lines));
    const [first, repeats] = [...table.tHead.querySelectorAll("th")].slice(-4, -2).map((cell) => cell.textContent);
    const place = table.closest("section").querySelector(".cp-chart");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-labelledby", table.closest("section").getAttribute("aria-labelledby"));
    place.append(canvas);
    place.classList.add(byMonth || rows.length > 6 ? "cp-tall" : "cp-low");
    new Chart(canvas, {
      type: "bar",
      data: {
        labels: rows.map(names).map(shortened),
        datasets: [series(first, numbers(rows, 1), FIRST), series(repeats, numbers(rows, 2), REPEATS)],
      },
      options: {
        indexAxis: byMonth ? "x" : "y",
        animation: false,
        maintainAspectRatio: false,
        scales: { x: { stacked: true }, y: { stacked: true } },
      },
    });
  }
})();
