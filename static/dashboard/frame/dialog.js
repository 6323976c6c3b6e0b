// Dialogs: one at a time, above the page, left by Escape, and the focus goes back to where it was.
// `ask` is the confirmation of what cannot be taken back; `openDialog` is for anything else.

import { element, setText } from "../dom.js";
import { problemOf } from "./api.js";
import { button } from "./button.js";

/**
 * @param {string} title  @param {(Node | string)[]} content
 * @param {...HTMLElement} actions buttons, the least harmful first
 * @returns {HTMLDialogElement} shown; `close()` removes it
 */
export function openDialog(title, content, ...actions) {
  const id = "dialog-title";
  const dialog = element("dialog", { class: "card dialog", "aria-labelledby": id },
    element("h2", { id }, title), element("div", { class: "dialog-body" }, ...content), element("p", { class: "actions" }, ...actions));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks, and does it after a yes. What goes wrong is said in the dialog, which then stays. True when it was done.
 * @param {{title: string, text: (Node | string)[], yes: string, run: () => Promise<unknown>}} question  `yes` is what the
 *   button says: the verb
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes, run }) {
  return new Promise((resolve) => {
    let done = false;
    const problem = element("p", { class: "problem", role: "alert", hidden: true });
    const cancel = button("Cancel", () => dialog.close());
    const go = button(yes, async () => {
      go.disabled = true;
      try {
        await run();
        done = true;
        dialog.close();
      } catch (error) {
        setText(problem, problemOf(error));
        problem.hidden = false;
      } finally {
        go.disabled = false;
      }
    }, "danger");
    const dialog = openDialog(title, [element("p", {}, ...text), problem], cancel, go);
    dialog.addEventListener("close", () => resolve(done));
    cancel.focus();
  });
}
