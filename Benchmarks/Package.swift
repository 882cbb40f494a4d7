// swift-tools-version: 6.1
import PackageDescription

// A package of its own, so that users of AttentionZoo never resolve what only measuring needs.
let package = Package(
  name: "AttentionZooBenchmarks",
  dependencies: [
    .package(name: "AttentionZoo", path: ".."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    // What Peers/ drives: this package's side of the comparison.
    .executableTarget(
      name: "attend-server",
      dependencies: [
        .product(name: "AttentionCore", package: "AttentionZoo"),
        .product(name: "AttentionZoo", package: "AttentionZoo"),
        .product(name: "ZooModels", package: "AttentionZoo"),
        .product(name: "ZooHarness", package: "AttentionZoo"),
      ]),
    .executableTarget(
      name: "KernelBenchmarks",
      dependencies: [
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "AttentionCore", package: "AttentionZoo"),
        .product(name: "AttentionZoo", package: "AttentionZoo"),
      ],
      path: "Benchmarks/KernelBenchmarks",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
  ],
  swiftLanguageModes: [.v6]
)
