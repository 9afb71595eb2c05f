from ue_bench.cli import entry

if __name__ == "__main__":
    entry()
