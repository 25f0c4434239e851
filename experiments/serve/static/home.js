// files dropped anywhere on the page join those of the form
const field = document.getElementById("pictures"), area = document.getElementById("drop");
const chosen = document.getElementById("chosen"), none = chosen.textContent;
const tell = () => {
  const files = [...field.files];
  chosen.textContent = files.length
    ? `${files.length} file${files.length > 1 ? "s" : ""}: ${files.slice(0, 6).map((one) => one.name).join(", ")}${files.length > 6 ? ", ..." : ""}`
    : none;
};
const over = (event, on) => { event.preventDefault(); area.classList.toggle("over", on); };
addEventListener("dragover", (event) => over(event, true));
addEventListener("dragleave", (event) => over(event, false));
addEventListener("drop", (event) => {
  over(event, false);
  const all = new DataTransfer();
  [...field.files, ...event.dataTransfer.files].forEach((file) => all.items.add(file));
  field.files = all.files;
  tell();
});
field.addEventListener("change", tell);
document.querySelector("form").addEventListener("submit", () => {
  document.querySelector("button.main").disabled = true;
  document.getElementById("state").textContent = "Reading and answering ...";
});
// a page that the browser kept is usable again
addEventListener("pageshow", () => {
  document.querySelector("button.main").disabled = false;
  document.getElementById("state").textContent = "";
});
tell();
