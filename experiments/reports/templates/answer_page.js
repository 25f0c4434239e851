document.querySelectorAll(".study").forEach((study) => {
  const viewer = study.querySelector(".viewer");
  const findings = [...study.querySelectorAll(".finding")];
  const of = (name) => study.querySelector(`[data-control="${name}"]`);
  let shown = study.dataset.open;
  const show = () => {
    const method = of("method") ? of("method").value : "occlusion";
    study.querySelectorAll(".map").forEach((map) => {
      map.hidden = map.dataset.finding !== shown || map.dataset.method !== method;
    });
    const named = findings.find((one) => one.dataset.finding === shown);
    const caption = study.querySelector("[data-shown]");
    if (caption && named) caption.textContent = named.querySelector("summary b").textContent;
  };
  findings.forEach((finding) => finding.addEventListener("toggle", () => {
    if (finding.open) { shown = finding.dataset.finding; show(); }
  }));
  if (of("map")) of("map").addEventListener("change", (event) => {
    viewer.classList.toggle("plain", !event.target.checked);
  });
  if (of("method")) of("method").addEventListener("change", show);
  const windowed = () => {
    study.querySelectorAll("[data-window]").forEach((one) => {
      one.style.filter = `url(#${one.dataset.window})`;
    });
    const level = Number(of("level").value), width = Number(of("width").value);
    study.querySelectorAll("feFuncR, feFuncG, feFuncB").forEach((one) => {
      one.setAttribute("slope", 100 / width);
      one.setAttribute("intercept", 0.5 - level / width);
    });
  };
  ["level", "width"].forEach((name) => of(name) && of(name).addEventListener("input", windowed));
  show();
});
