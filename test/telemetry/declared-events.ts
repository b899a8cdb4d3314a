import ts from "typescript";

/** An event as `TelemetryEvents` declares it. */
export interface DeclaredEvent {
  readonly name: string;
  readonly measurements: readonly string[];
  readonly metadata: readonly string[];
}

const file = new URL("../../src/telemetry/events.ts", import.meta.url).pathname;

/** Every event with its fields, read from the types with the compiler: at run time they are gone. */
export function declaredEvents(): DeclaredEvent[] {
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: ["node"],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const declaration = source?.statements.find(
    (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === "TelemetryEvents",
  );
  if (declaration === undefined) throw new Error(`${file} declares no interface TelemetryEvents`);
  const namesIn = (type: ts.Type) => checker.getPropertiesOfType(type).map((property) => property.name);
  return checker.getPropertiesOfType(checker.getTypeAtLocation(declaration)).map((event) => {
    const halves = checker.getTypeOfSymbolAtLocation(event, declaration);
    const half = (name: string) => {
      const property = halves.getProperty(name);
      if (property === undefined) throw new Error(`${event.name} declares no ${name}`);
      return namesIn(checker.getTypeOfSymbolAtLocation(property, declaration));
    };
    return { name: event.name, measurements: half("measurements"), metadata: half("metadata") };
  });
}
