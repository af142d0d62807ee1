"use strict";
// Makes each table of the page sortable by its headers and gives the long ones a filter. Without it all can be read.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const value = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  if (rows.length > 1) {
    Array.from(table.tHead.rows[0].cells).forEach((head, place) => {
      // No <button>: browsers leave it out of the headers that they repeat on printed pages.
      const button = document.createElement("span");
      button.setAttribute("role", "button");
      button.tabIndex = 0;
      button.textContent = head.textContent;
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        button.click();
      });
      button.addEventListener("click", () => {
        const first = head.classList.contains("n") || head.classList.contains("r") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const way = head.getAttribute("aria-sort") === first ? other : first;
        for (const one of table.tHead.rows[0].cells) one.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", way);
        const sign = way === "ascending" ? 1 : -1;
        rows.sort((a, b) => {
          const x = value(a, place), y = value(b, place);
          return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
        });
        body.append(...rows);
      });
    });
  }
  if (rows.length > 8) {
    const box = document.createElement("div"), label = document.createElement("label");
    const input = document.createElement("input"), count = document.createElement("span");
    box.className = "filter";
    label.textContent = "Only rows with";
    input.type = "search";
    input.id = "filter-" + table.id;
    label.htmlFor = input.id;
    count.className = "soft";
    count.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        kept += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? kept + " of " + rows.length + " rows" : "";
    });
    box.append(label, input, count);
    table.parentElement.before(box);
  }
}
window.addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not(.long)")) one.open = true;
});
