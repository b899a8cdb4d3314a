import { isGenApiError } from "../../core/errors.ts";
import type { Stage } from "./stage.ts";
import { counted } from "./words.ts";

/** Validates the arguments and puts them in the function's order. */
export const checkedArguments: Stage = {
  name: "arguments",

  run(call, { validate, takesArguments, config }) {
    const args = validate(call.request.args);
    if (isGenApiError(args)) return args;
    const first = config.mfa.args;
    call.args = first.length === 0 ? args : [...first, ...args];
    call.releaseArguments(takesArguments);
    return undefined;
  },

  describe({ config: { argTypes, argOrders, mfa } }) {
    const first = mfa.args.length === 0 ? "" : `after ${counted(mfa.args.length, "argument")} of the FunConfig's; `;
    if (argTypes === null) {
      return { summary: `${first}none: what is sent is ignored`, details: { types: null, argOrders } };
    }
    if (argTypes === "schema") {
      return { summary: `${first}a map, as the function's schema has it`, details: { types: argTypes, argOrders } };
    }
    const types = Object.entries(argTypes).map(
      ([name, type]) => [name, typeof type === "string" ? type : type.type] as const,
    );
    const listed = types.length === 0 ? "none may be sent" : types.map(([name, type]) => `${name}: ${type}`).join(", ");
    return { summary: `${first}${listed}`, details: { types: Object.fromEntries(types), argOrders } };
  },

  inspect({ request: { args }, compiled }) {
    const checked = compiled.validate(args);
    if (isGenApiError(checked)) return { summary: checked.message, details: {}, failure: checked };
    const count = compiled.config.mfa.args.length + checked.length;
    const summary = `valid; the function would get ${counted(count, "argument")}`;
    return { summary, details: { count }, failure: null };
  },
};
