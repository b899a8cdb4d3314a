import { holdsHandlers, markHandlers } from "../core/load-function.js";
export function defineService(service, ...rest) {
    const [url, functions] = rest.length === 2 ? [String(rest[0]), rest[1]] : [null, rest[0]];
    const definitions = Object.entries(functions);
    return markHandlers({
        service,
        url,
        functions: definitions.map(([name, definition]) => configOf(service, name, definition)),
        handlers: new Map(definitions.map(([name, { handler }]) => [name, handler])),
    });
}
function configOf(service, name, definition) {
    const { args = {}, handler, ...fields } = definition;
    return {
        nodes: "local",
        timeout: 5_000,
        requestType: name,
        requestInfo: handler.length > 1,
        ...fields,
        service,
        mfa: { module: service, function: name },
        argTypes: args,
        argOrders: "map",
    };
}
/** Whether `value` is what {@link defineService} returns. */
export function holdsService(value) {
    return holdsHandlers(value) && "functions" in value;
}
