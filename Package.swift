// swift-tools-version: 6.1
import Foundation
import PackageDescription

let package = Package(
  name: "AttentionZoo",
  products: [
    .library(name: "AttentionCore", targets: ["AttentionCore", "ZooMemory"]),
    .library(name: "AttentionZoo", targets: ["AttentionZoo"]),
    .library(name: "ZooModels", targets: ["ZooModels"]),
    .library(name: "ZooPlanner", targets: ["ZooPlanner"]),
    .library(name: "ZooHarness", targets: ["ZooHarness"]),
    .library(name: "ZooReports", targets: ["ZooReports"]),
    .executable(name: "attnzoo", targets: ["attnzoo"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // The rooms, from the ground up: a target imports only targets above it.
    .target(name: "CAttentionKernels"),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas lapacke",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
    .target(name: "ZooMemory", dependencies: ["CAttentionKernels"]),
    .target(name: "AttentionCore", dependencies: ["CAttentionKernels", "ZooMemory"]),
    .target(
      name: "ZooLinearAlgebra", dependencies: ["CAttentionKernels", "COpenBLAS", "ZooMemory"]),
    .target(
      name: "AttentionZoo",
      dependencies: ["AttentionCore", "ZooLinearAlgebra", "ZooMemory", "CAttentionKernels"]),
    .target(
      name: "ZooModels",
      dependencies: ["AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory"],
      resources: [.copy("Resources/EmbeddedModel")]),
    .target(name: "ZooRecords"),
    .target(name: "ZooPlanner", dependencies: ["AttentionCore", "ZooRecords"]),
    .target(
      name: "ZooHarness",
      dependencies: [
        "ZooPlanner", "ZooRecords", "ZooModels", "AttentionZoo", "AttentionCore",
        "ZooLinearAlgebra", "ZooMemory",
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(name: "ZooReports", dependencies: ["ZooRecords"]),
    .executableTarget(
      name: "attnzoo",
      dependencies: [
        "ZooHarness", "ZooReports", "ZooPlanner", "ZooRecords", "ZooModels", "AttentionZoo",
        "AttentionCore", "ZooMemory",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(name: "ZooMemoryTests", dependencies: ["ZooMemory", "CAttentionKernels"]),
    .testTarget(
      name: "ZooLinearAlgebraTests",
      dependencies: ["ZooLinearAlgebra", "ZooMemory", "CAttentionKernels"]),
    .testTarget(
      name: "ZooHarnessTests",
      dependencies: [
        "ZooHarness", "ZooModels", "ZooPlanner", "ZooRecords", "AttentionCore",
        "ZooLinearAlgebra", "ZooMemory",
      ]),
    .testTarget(
      name: "AttentionZooTests",
      dependencies: ["AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory"]),
    .testTarget(
      name: "ZooModelsTests",
      dependencies: [
        "ZooModels", "AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory",
        "AllocationCounter",
      ]),
    .testTarget(
      name: "ConformanceTests",
      dependencies: [
        "ZooModels", "AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory",
      ]),
    .testTarget(
      name: "ZooPlannerTests",
      dependencies: ["ZooPlanner", "ZooModels", "AttentionCore", "ZooMemory"]),
    .testTarget(name: "ZooRecordsTests", dependencies: ["ZooRecords"]),
    .testTarget(
      name: "ZooReportsTests", dependencies: ["ZooReports", "ZooRecords"], exclude: ["Golden"]),
    .testTarget(
      name: "CommandLineTests", dependencies: ["attnzoo", "ZooModels", "ZooRecords"]),
    .target(name: "AllocationCounter", path: "Tests/Support/AllocationCounter"),
    // Random models and their exports, for the comparison with other engines.
    .executableTarget(
      name: "export-oracle",
      dependencies: [
        "ZooModels", "AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory",
      ], path: "Tests/Support/ExportOracle"),
    // This package's side of the comparison of factorisations with numpy.
    .executableTarget(
      name: "factorisation-timer",
      dependencies: [
        "ZooModels", "AttentionZoo", "AttentionCore", "ZooLinearAlgebra", "ZooMemory",
      ], path: "Tests/Support/FactorisationTimer"),
    .testTarget(
      name: "AttentionCoreTests",
      dependencies: ["AttentionCore", "CAttentionKernels", "ZooMemory", "AllocationCounter"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)

// Only `make docs` needs the documentation plugin; users of the package never resolve it.
if ProcessInfo.processInfo.environment["ATTNZOO_DOCS"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
