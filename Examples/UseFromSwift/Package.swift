// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "UseFromSwift",
  dependencies: [.package(name: "AttentionZoo", path: "../..")],
  targets: [
    .executableTarget(
      name: "UseFromSwift",
      dependencies: [.product(name: "AttentionCore", package: "AttentionZoo")])
  ],
  swiftLanguageModes: [.v6]
)
