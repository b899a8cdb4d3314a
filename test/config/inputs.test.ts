import { expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { FunConfig, FunConfigInput, funConfigSchema } from "../../src/config/fun-config.ts";
import type { ServiceConfigInput, serviceConfigSchema } from "../../src/sync/service-config.ts";

// The interfaces say to editors what the schemas say to programs. Held by the type check: nothing is run.

/** As an input is written: its own fields, and the lists in it, may be read-only. */
type Written<Input> = { readonly [Field in keyof Input]: ReadonlyLists<Input[Field]> };
type ReadonlyLists<Type> = Type extends readonly (infer Item)[]
  ? readonly Item[]
  : Type extends object
    ? { [Field in keyof Type]: ReadonlyLists<Type[Field]> }
    : Type;

test("a FunConfigInput is what the schema of FunConfigs takes, and a FunConfig what it makes of it", () => {
  expectTypeOf<FunConfigInput>().branded.toEqualTypeOf<Written<z.input<typeof funConfigSchema>>>();
  expectTypeOf<FunConfig>().toEqualTypeOf<Readonly<z.output<typeof funConfigSchema>>>();
});

test("a ServiceConfigInput is what the schema of services to pull takes", () => {
  expectTypeOf<ServiceConfigInput>().branded.toEqualTypeOf<Written<z.input<typeof serviceConfigSchema>>>();
});
