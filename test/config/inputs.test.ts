import { expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { FunConfig, FunConfigInput, funConfigSchema } from "../../src/config/fun-config.ts";
import type { ServiceConfigInput, serviceConfigSchema } from "../../src/config/service-config.ts";

// The interfaces say to editors what the schemas say to programs. Held by the type check: nothing is run.

test("a FunConfigInput is what the schema of FunConfigs takes, and a FunConfig what it makes of it", () => {
  expectTypeOf<FunConfigInput>().toEqualTypeOf<Readonly<z.input<typeof funConfigSchema>>>();
  expectTypeOf<FunConfig>().toEqualTypeOf<Readonly<z.output<typeof funConfigSchema>>>();
});

test("a ServiceConfigInput is what the schema of services to pull takes", () => {
  expectTypeOf<ServiceConfigInput>().toEqualTypeOf<Readonly<z.input<typeof serviceConfigSchema>>>();
});
