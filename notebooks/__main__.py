"""Make the notebooks anew: `python -m notebooks`."""

from . import building

for path in building.texts():
    print(f"{path.name}: running its code", flush=True)
    print(f"wrote {building.write(path).name}")
