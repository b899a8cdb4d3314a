import { checkedArguments } from "./arguments.ts";
import { argumentsCheck } from "./arguments-check.ts";
import { beforeExecute } from "./before-execute.ts";
import { execution } from "./execution.ts";
import { answerRepeat, claimAcross, claimKey } from "./idempotency.ts";
import { nodes } from "./nodes.ts";
import { permission } from "./permission.ts";
import { permissionCallback } from "./permission-callback.ts";
import { rateLimits } from "./rate-limits.ts";
import type { Stage } from "./stage.ts";

/**
 * The path of a request once its function is found, top to bottom. Each stage refuses before anything is acknowledged.
 * The pipeline runs this list, the call flow describes it, and the dry run inspects it.
 */
export const stages: readonly Stage[] = [
  claimKey,
  beforeExecute,
  permission,
  claimAcross,
  rateLimits,
  nodes,
  permissionCallback,
  answerRepeat,
  checkedArguments,
  argumentsCheck,
  execution,
];
