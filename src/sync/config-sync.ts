import { type ChildSpec, childSpec } from "../actor/supervisor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/supervisor/dynamic-supervisor.ts";
import { fromSupervisor } from "../actor/supervisor/supervisor.ts";
import { type ConfigReceiverInput, configReceiverActor } from "./config-receiver.actor.ts";

// One for each pulled service, and for each service of a node that asks to be pulled.
const maxPullers = 10_000;

/**
 * The part of the gateway's tree that keeps its functions in step with those of its nodes. The receiver starts the
 * pullers, so it restarts together with their supervisor.
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
        childSpec({ id: names.configReceiver, name: names.configReceiver, logic: configReceiverActor, input }),
      ],
    }),
  });
}
