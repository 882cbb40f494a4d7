extension SuiteRunner {
  func runFidelity(_ log: inout RunLog) throws {}
}
