import { isPermitted } from "../../policy/permission.ts";
import { permissionDenied } from "../request/failure.ts";
import type { Stage } from "./stage.ts";
import { permissionText } from "./words.ts";

/** The built-in permission modes. A function with a permission callback skips them: see `permissionCallback`. */
export const permission: Stage = {
  name: "permission",

  run(call, { config, permissionCallback }) {
    if (permissionCallback !== null) return undefined;
    const permitted = isPermitted(config.checkPermission, call.caller, call.request.args, config.argOrders);
    return permitted ? undefined : permissionDenied;
  },

  describe({ config: { permissionCallback, checkPermission } }) {
    if (permissionCallback !== null) return null;
    return { summary: permissionText(checkPermission), details: { checkPermission } };
  },

  inspect({ request, identity, compiled: { config, permissionCallback } }) {
    if (permissionCallback !== null) return null;
    const { checkPermission, argOrders } = config;
    const permitted = isPermitted(checkPermission, identity, request.args, argOrders);
    const summary = `${permissionText(checkPermission)}: ${permitted ? "permitted" : "denied"}`;
    return { summary, details: { checkPermission }, failure: permitted ? null : permissionDenied };
  },
};
