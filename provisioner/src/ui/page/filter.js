"use strict";
(() => {
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const pictures = [...document.querySelectorAll(".picture")];
  const age = (id, other) => {
    const value = document.getElementById(id).value;
    return value === "" ? other : Number(value);
  };
  const apply = () => {
    const emotions = new Set([...form.querySelectorAll("[name=emotion]:checked")].map((box) => box.value));
    const from = age("from", -Infinity);
    const to = age("to", Infinity);
    const filtered = emotions.size > 0 || from > -Infinity || to < Infinity;
    const matches = ({ emotion, low, high }) =>
      (emotions.size === 0 || emotions.has(emotion)) &&
      (from === -Infinity || Number(high ?? NaN) >= from) &&
      (to === Infinity || Number(low ?? NaN) <= to);
    let count = 0;
    for (const picture of pictures) {
      let any = false;
      for (const face of picture.querySelectorAll(".face")) {
        const hit = matches(face.dataset);
        any ||= hit;
        face.classList.toggle("other", !hit);
        picture.querySelector(`.boxes [data-face="${face.dataset.face}"]`)?.classList.toggle("other", !hit);
      }
      picture.hidden = filtered && !any;
      count += picture.hidden ? 0 : 1;
    }
    shown.textContent = filtered ? `${count} of ${pictures.length} pictures shown` : "";
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();
})();
