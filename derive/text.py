def system(program):
    return [(f"{e.lhs} = {e.rhs}", program.variables[e.name]) for e in program.forward]
def reversed_lines(program):
    return {}
def expression(e): return str(e)
