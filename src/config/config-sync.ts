import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/dynamic-supervisor.ts";
import { fromSupervisor } from "../actor/supervisor.ts";
import { type ConfigReceiverInput, configReceiver } from "./config-receiver.actor.ts";

// One per pulled service, and per service of a node that asks to be pulled.
const maxPullers = 10_000;

/**
 * The part of the gateway's tree that keeps its functions in step with those of its nodes. The receiver starts the
 * pullers, so it is started anew where their supervisor was.
 *
 * ```
 * config_sync (rest_for_one)
 * ├── config_puller (dynamic): a puller per service
 * └── config_receiver
 * ```
 */
export function configSync(id: string, input: ConfigReceiverInput): ChildSpec {
  const { names } = input;
  return childSpec({
    id,
    name: id,
    logic: fromSupervisor({
      strategy: "rest_for_one",
      children: [
        childSpec({
          id: names.configPuller,
          name: names.configPuller,
          logic: fromDynamicSupervisor({ maxChildren: maxPullers }),
        }),
        childSpec({ id: names.configReceiver, name: names.configReceiver, logic: configReceiver, input }),
      ],
    }),
  });
}
