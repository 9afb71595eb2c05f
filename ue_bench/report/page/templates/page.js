"use strict";
// A head of a column is a button that sorts its table: as numbers (with the units of bytes) where most cells begin with one.
const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const number = (text) => {
  const found = /^[^\w+−-]*([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*(B|kB|MB|GB|TB)?/.exec(text);
  return found ? parseFloat(found[1].replace("−", "-").replaceAll(",", "")) * (UNITS[found[2]] || 1) : NaN;
};
const told = (cell) => (cell ? cell.textContent.trim() : "");
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...table.tBodies[0].rows].map((row) => [row, told(row.cells[column])]);
      const known = rows.filter(([, text]) => text !== "" && text !== "–");
      const numeric = known.filter(([, text]) => !Number.isNaN(number(text))).length > known.length / 2;
      const last = (text) => text === "" || text === "–" || (numeric && Number.isNaN(number(text)));
      rows.sort(([, a], [, b]) => {
        if (last(a) || last(b)) return last(a) - last(b);
        return way * (numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true }));
      });
      table.tBodies[0].append(...rows.map(([row]) => row));
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    });
  });
}
// A finger cannot hover: what is tapped tells its title below the figure.
for (const card of document.querySelectorAll(".card")) {
  card.addEventListener("click", (event) => {
    const point = event.target.closest(".point");
    const place = card.nextElementSibling;
    for (const other of card.querySelectorAll(".chosen")) other.classList.remove("chosen");
    place.hidden = !point;
    if (!point) return;
    point.classList.add("chosen");
    place.textContent = point.querySelector("title").textContent;
  });
}
// On paper nothing can be opened.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) details.open = true;
});
