import { internal, unavailable } from "../request/failure.ts";
import { isRepeat } from "./idempotency.ts";
import { type Stage, waiting } from "./stage.ts";
import { counted, mfaText, modeText, placeOf } from "./words.ts";

/**
 * Decides where the function runs: here, or on one of its live nodes, according to its FunConfig's `chooseNodeMode`.
 */
export const nodes: Stage = {
  name: "nodes",

  run(call, compiled, deps, proceed) {
    if (compiled.nodes === null) return undefined;
    // What was executed already needs a node only for the question whether it is permitted.
    if (isRepeat(call) && compiled.permissionCallback === null) return undefined;
    const names = compiled.nodes.names();
    if (!(names instanceof Promise)) return call.selectNode(compiled, names) ? undefined : unavailable;
    names
      .then((resolved) => {
        if (call.isAnswered) return;
        if (call.selectNode(compiled, resolved)) proceed(call, deps);
        else call.fail(unavailable);
      })
      .catch((thrown) => call.fail(internal(thrown)));
    return waiting;
  },

  describe(compiled, { live }) {
    const { config, nodes: functionNodes } = compiled;
    if (functionNodes === null) return { summary: `here, on ${placeOf(compiled)}`, details: { runOn: config.runOn } };
    const { chooseNodeMode, nodes: listed, nodesTtlMs } = config;
    const { known } = functionNodes;
    const mode = modeText(chooseNodeMode);
    if (known === null) {
      const resolver = typeof listed === "object" && "module" in listed ? mfaText(listed) : "a resolver";
      const details = { chooseNodeMode, nodes: null, live: null, nodesTtlMs };
      return { summary: `${mode}, of those that ${resolver} names`, details };
    }
    const liveNodes = live(known);
    const summary = `${mode}, of ${counted(known.length, "node")}, ${liveNodes.length} live`;
    return { summary, details: { chooseNodeMode, nodes: known, live: liveNodes } };
  },

  inspect({ request, identity, compiled, deps }) {
    const { nodes: functionNodes, config } = compiled;
    if (functionNodes === null) return { summary: `here, on ${placeOf(compiled)}`, details: {}, failure: null };
    const { known } = functionNodes;
    if (known === null) {
      return { summary: "the resolver would be asked", details: { nodes: null }, failure: null, isUnknown: true };
    }
    const live = deps.nodes.live(known, config.service);
    const selected = deps.nodeSelector.peek(config.chooseNodeMode, functionNodes.functionKey, live, {
      requestId: request.requestId,
      args: request.args,
      ...identity,
    });
    const of = `${modeText(config.chooseNodeMode)} of ${counted(known.length, "node")}, ${live.length} live`;
    const details = { nodes: known, live, selected };
    if (live.length === 0) return { summary: of, details, failure: unavailable };
    return { summary: `${selected ?? "any of them"}: ${of}`, details, failure: null };
  },
};
