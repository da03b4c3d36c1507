"""The library of faults: one YAML file each, `GROUP/ID.yaml`, found by being there; and what causes them.

`written` reads them, `staging` runs one in a cluster of its own that is stepped through time, `injection` causes one
in a cluster that is there already. docs/faults.md says what may be in a file.
"""
