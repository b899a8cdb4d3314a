// What the page runs, in the browser: it shows the words of demo.write as they come.
import { connect } from "gen-api/client";

const client = connect("/socket", { params: { user_id: "1" } });
const { form, about, write, stop, text, state } = elements();
/** Ends the text that is being written. */
let writing = new AbortController();

client.onStatus((status) => show(status === "open" ? "" : "No connection: it goes on when the gateway is back."));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  writing = new AbortController();
  write.disabled = true;
  stop.disabled = false;
  text.textContent = "";
  try {
    await writeAbout(about.value, writing.signal);
    show("Done.");
  } catch (error) {
    show(error.code === "cancelled" ? "Stopped." : error.message);
  }
  write.disabled = false;
  stop.disabled = true;
});
stop.addEventListener("click", () => writing.abort());

/** Should the gateway go in the middle of it, the next one goes on where it stopped. */
async function writeAbout(subject, signal) {
  let words = 0;
  for (;;) {
    try {
      for await (const word of client.call("demo", "write", { about: subject, from: words }, { signal })) {
        text.append(words++ === 0 ? word : ` ${word}`);
      }
      return;
    } catch (error) {
      if (!error.canRetry) throw error;
    }
  }
}

function show(line) {
  state.textContent = line;
}

function elements() {
  const byId = (id) => document.getElementById(id);
  return {
    form: document.querySelector("form"),
    about: byId("about"),
    write: byId("write"),
    stop: byId("stop"),
    text: byId("text"),
    state: byId("state"),
  };
}
