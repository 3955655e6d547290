"""What a module of the style compiled has beside its functions: how its C is built, once, and called."""

IMPORTS = ("import ctypes", "import hashlib", "import os", "import shlex", "import subprocess", "import threading",
           "import warnings", "from pathlib import Path")

NOTHING = "Nothing in it is elementwise on arrays: there is nothing to compile, and this is the style fast."
GRADIENTS_ALONE = "C is generated for losses and their gradients alone: this is the style fast."
LIBRARY = '''FLAGS = "-O3 -fno-math-errno -fno-trapping-math -fopenmp-simd"
LIBRARIES = {}


def _compiled(dtype):
    """Return the functions of SOURCE for a dtype, compiled on first use; None where NumPy has to serve."""
    if dtype not in LIBRARIES:
        LIBRARIES[dtype] = None
        if dtype in (np.float32, np.float64):
            try:
                LIBRARIES[dtype] = ctypes.CDLL(str(_library(dtype)))
            except (OSError, subprocess.CalledProcessError) as error:
                told = getattr(error, "stderr", b"").decode(errors="replace").strip().partition("\\n")[0] or error
                told = f"NumPy computes what C would: {told}; CC names the compiler"
                warnings.warn(told, RuntimeWarning, stacklevel=3)
    return LIBRARIES[dtype]


def _library(dtype):
    """Return the path of the compiled SOURCE, in the user's cache; each processor and compiler has its own."""
    command = [*shlex.split(os.environ.get("CC", "cc")), *FLAGS.split(), *(["-DSINGLE"] if dtype == np.float32 else [])]
    for native in (["-march=native"], []):
        told = subprocess.run([*command, *native, "-dM", "-E", "-x", "c", os.devnull], capture_output=True)
        if told.returncode == 0:
            command += native
            break
    key = hashlib.sha256(b"\\0".join([*map(os.fsencode, command), told.stdout, SOURCE.encode()])).hexdigest()[:32]
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "derive", f"{key}.so")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        subprocess.run([*command, "-shared", "-fPIC", "-x", "c", "-", "-o", str(made), "-lm"], input=SOURCE.encode(),
                       capture_output=True, check=True)
        os.replace(made, path)
    return path


def _memory(arrays):
    """Return arrays as they lie in one piece, copied where they do not, and where that is."""
    arrays = [np.ascontiguousarray(a, np.int64 if a.dtype.kind in "iu" else None) for a in arrays]
    return arrays, [_place(a) for a in arrays]


def _place(array):
    """Return where an array lies; `array.ctypes` takes three times as long, and is for what may not be written to."""
    try:
        return ctypes.byref(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):
        return array.ctypes.data_as(ctypes.c_void_p)


def _call(function, arrays, sizes):
    """Call a compiled function on arrays."""
    arrays, places = _memory(arrays)
    function(*places, *map(ctypes.c_int64, sizes))'''
BOUND = '''def _bound(function, arrays, sizes):
    """Return a compiled function of the turns of loops; its arrays are the same in all of them."""
    arrays, places = _memory(arrays)
    given = (*places, *map(ctypes.c_int64, sizes))

    def turn(*turns, kept=arrays):
        function(*given, *map(ctypes.c_int64, turns))

    return turn'''
