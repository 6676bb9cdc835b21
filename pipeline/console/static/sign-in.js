// @ts-check
// A link to the sign-in may carry a token behind "#", which never leaves the browser: it is put into the form.
// Nothing is sent: whoever follows a stranger's link sees that he is about to sign in.

const MARK = "#token=";

/** Fill the form with the token of the address, and take it out of the address. */
export function startSignIn() {
  const field = document.querySelector("form[action='/login'] input[name='token']");
  if (!(field instanceof HTMLInputElement) || !location.hash.startsWith(MARK)) {
    return;
  }
  field.value = decodeURIComponent(location.hash.slice(MARK.length));
  history.replaceState(null, "", location.pathname + location.search);
  field.form?.querySelector("button")?.focus();
}
