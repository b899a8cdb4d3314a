// The attacker's process: runs the attack that the second argument names against the port of the first, until its
// parent ends it. It tells the parent when its sockets are open, and begins when it is told to.
import { floods, memoryAttacks, prepare } from "./attacks.js";

const [port = "", name = ""] = process.argv.slice(2);
const chosen = memoryAttacks[name] ?? floods[name];
if (chosen === undefined) throw new Error(`No attack is named ${name}`);
process.on("disconnect", () => process.exit());
process.once("message", await prepare(Number(port), chosen));
process.send?.("open");
