"use strict";
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const specs = new Map();
  const read = (element) => JSON.parse(element.textContent);
  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

  // colours that begin with "@" are the page's, and change with it
  function resolved(value) {
    if (typeof value === "string") return /^@[a-z]+$/.test(value) ? colour(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one)]));
    }
    return value;
  }

  const told = document.getElementById("points") ? read(document.getElementById("points")) : null;

  // [name, value] of all hyperparameters and of all costs of one point
  function facts(row) {
    const [place, values, costs] = told.rows[row];
    return [
      told.names[place].map((name, at) => [name, values[at]]),
      told.facts.map(([label, known], at) => [label, costs[at] + known]).filter(([label]) => !told.names[place].includes(label)),
    ];
  }

  const plain = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const hover = (row) => (told && told.rows[row] ? facts(row).flat().map((fact) => plain(fact.join(" "))).join("<br>") : "");
  // as a shell reads it literally
  const quoted = (word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\"'\"'") + "'");

  function lines(row) {
    const fixed = facts(row)[0].map(([name, value]) => "--fix " + quoted(name + "=" + value));
    return [[told.start, ...fixed, told.end].join(" ").trim(), told.build[0] + told.rows[row][3] + told.build[1]];
  }

  const narrow = () => window.innerWidth < 640;

  function draw(place) {
    const spec = specs.get(place.id);
    const made = resolved({ data: spec.data, layout: spec.layout });
    for (const trace of made.data) {
      if (trace.customdata) trace.hovertext = trace.customdata.map(hover);
      if (trace.marker && trace.marker.colorbar && narrow()) {
        Object.assign(trace.marker.colorbar, { orientation: "h", x: 0.5, y: -0.16, yanchor: "top", len: 0.9 });
        trace.marker.colorbar.title.side = "bottom";
      }
    }
    // a finger scrolls the page, a mouse zooms the plot
    if (made.layout.dragmode === undefined && window.matchMedia("(pointer: coarse)").matches) made.layout.dragmode = false;
    if (narrow() && made.layout.xaxis.tickvals && made.layout.xaxis.tickvals.length > 5) {
      const keep = (_, at) => at % 2 === 0;
      made.layout.xaxis.tickvals = made.layout.xaxis.tickvals.filter(keep);
      made.layout.xaxis.ticktext = made.layout.xaxis.ticktext.filter(keep);
    }
    made.layout.autosize = true;
    return Plotly.react(place, made.data, made.layout, {
      responsive: true, displaylogo: false, displayModeBar: narrow() || spec.layout.dragmode === false ? false : "hover",
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
  }

  // ticks are set for the whole; who zooms in gets plotly's own
  function follow(place) {
    place.on("plotly_relayout", (change) => {
      for (const axis of ["xaxis", "yaxis"]) {
        if (change[axis + ".range[0]"] !== undefined && place.layout[axis].tickmode !== "auto") {
          Plotly.relayout(place, { [axis + ".tickmode"]: "auto" });
        }
        if (change[axis + ".autorange"]) draw(place);
      }
    });
    if (place.dataset.clickable) {
      place.on("plotly_click", (event) => {
        const row = event.points.map((point) => point.customdata).find((one) => one !== undefined);
        if (row !== undefined) show(row);
      });
    }
  }

  function start(place, spec) {
    specs.set(place.id, spec);
    place.removeAttribute("role");
    draw(place).then(() => { follow(place); place.dataset.drawn = "yes"; });
  }

  function element(tag, words, kind) {
    const made = document.createElement(tag);
    if (words !== undefined) made.textContent = words;
    if (kind) made.className = kind;
    return made;
  }

  function copyable(words) {
    const box = element("div", undefined, "copy"), pre = element("pre"), button = element("button", "copy", "copier");
    pre.append(element("code", words));
    pre.tabIndex = 0;
    button.type = "button";
    box.append(pre, button);
    return box;
  }

  function show(row) {
    const panel = document.getElementById("panel");
    if (!panel || !told || !told.rows[row]) return;
    const list = element("dl");
    for (const [name, value] of facts(row).flat()) list.append(element("dt", name), element("dd", value));
    panel.replaceChildren(element("h3", told.family), list, ...lines(row).map(copyable));
    panel.dataset.row = row;
    if (narrow()) panel.scrollIntoView({ block: "nearest" });
  }

  function copy(button) {
    const words = button.parentElement.querySelector("code").textContent;
    const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1500); };
    const area = element("textarea", words);
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    if (document.execCommand("copy")) done(); // a page from disk has no other clipboard in some browsers
    else if (navigator.clipboard) navigator.clipboard.writeText(words).then(done, () => {});
    area.remove();
    button.focus();
  }

  function sort(header) {
    const row = header.parentElement, body = header.closest("table").tBodies[0];
    const at = Array.from(row.cells).indexOf(header);
    const up = header.getAttribute("aria-sort") !== "ascending";
    for (const other of row.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (line) => line.cells[at].dataset.key;
    const numbers = header.classList.contains("number");
    const compare = (a, b) => {
      const left = key(a), right = key(b);
      if (left === "" || right === "") return (left === "") - (right === ""); // empty cells stay last
      const order = numbers ? Number(left) - Number(right) : left.localeCompare(right, "en", { numeric: true });
      return up ? order : -order;
    };
    body.append(...Array.from(body.rows).sort(compare));
  }

  function theme(name) {
    root.dataset.theme = name;
    const button = document.getElementById("theme");
    button.textContent = name === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", "switch to " + button.textContent + " colours");
    for (const place of document.querySelectorAll(".plot[data-drawn]")) draw(place);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") theme(root.dataset.theme === "dark" ? "light" : "dark");
    else if (button.classList.contains("sort")) sort(button.closest("th"));
    else if (button.classList.contains("copier")) copy(button);
    else if (button.dataset.row !== undefined) show(button.dataset.row);
  });

  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  for (const script of document.querySelectorAll("script[data-plot]")) {
    start(document.getElementById(script.dataset.plot), read(script));
  }
  const front = document.getElementById("fronts");
  if (front) {
    const views = read(front), place = document.getElementById("front-plot");
    const chosen = () => document.getElementById("front-x").value + " " + document.getElementById("front-y").value;
    const caption = document.getElementById("front-caption");
    const view = () => {
      specs.set(place.id, views[chosen()]);
      caption.textContent = views[chosen()].caption;
      return draw(place);
    };
    for (const select of document.querySelectorAll(".axes select")) select.addEventListener("change", view);
    view().then(() => { follow(place); place.dataset.drawn = "yes"; });
    const first = place.dataset.first;
    if (first) show(first);
  }
  let wide = !narrow();
  window.addEventListener("resize", () => {
    if (wide === !narrow()) return;
    wide = !narrow();
    for (const place of document.querySelectorAll(".plot[data-drawn]")) draw(place);
  });
})();
