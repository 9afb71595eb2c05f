"""The cases of `ue-bench speed`, by name, with the module that measures each.

A module has a `TITLE` and `measure(quick)`, which yields the lines of the case. Reading the names
loads none of them.
"""

CASES = {
    "forward": "forward_pass",
    "hashing": "values_to_slots",
    "step": "training_step",
    "training": "training_speed",
    "serve": "serving",
    "coding": "ratings_to_codes",
    "workers": "two_workers",
    "start": "program_start",
    "report": "report_time",
    "compiled": "torch_compile",
    "growth": "cost_growth",
    "bits": "few_bit_lookup",
    "scale": "table_of_scale",
}
