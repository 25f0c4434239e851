// the evidence of a finding is measured when it is opened, and put into the page
const measure = async (finding, link) => {
  const study = finding.closest(".study"), place = [...document.querySelectorAll(".study")].indexOf(study);
  const told = link.parentElement;
  told.textContent = "Measuring the evidence ...";
  const answer = await fetch(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const other = page.querySelectorAll(".study")[place];
  const found = other && [...other.querySelectorAll(".finding")].find((one) => one.dataset.finding === finding.dataset.finding);
  if (!answer.ok || !found) {
    const said = page.querySelector(".lead");
    told.textContent = said ? said.textContent : "The evidence could not be measured.";
    return;
  }
  finding.replaceChildren(...found.childNodes);
  const stacks = study.querySelectorAll(".stack");
  other.querySelectorAll(".stack").forEach((stack, at) => {
    stack.querySelectorAll(".map").forEach((map) => {
      if (map.dataset.finding === finding.dataset.finding) stacks[at].append(map);
    });
  });
  finding.dispatchEvent(new Event("toggle"));
};
document.querySelectorAll(".finding").forEach((finding) => {
  const opened = () => {
    const link = finding.open && finding.querySelector("[data-evidence]");
    if (link) measure(finding, link);
  };
  finding.addEventListener("toggle", opened);
  opened();
});
