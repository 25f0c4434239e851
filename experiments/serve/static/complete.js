// completion of concept names by the server, in the list that each field names
document.querySelectorAll("[data-complete]").forEach((field) => {
  let asked = 0;
  field.addEventListener("input", async () => {
    const before = field.value.lastIndexOf(";") + 1;
    const term = field.value.slice(before).trim(), turn = ++asked;
    const answer = await fetch(`/api/concepts?term=${encodeURIComponent(term)}`);
    if (!answer.ok || turn !== asked) return;
    const words = { trained: "taught", zero_shot: "not taught: zero-shot", not_possible: "the model cannot answer this" };
    field.list.replaceChildren(...(await answer.json()).map((one) => {
      const option = document.createElement("option");
      option.value = field.value.slice(0, before) + one.label;
      option.label = `${one.label} (${words[one.basis]})`;
      return option;
    }));
  });
});
