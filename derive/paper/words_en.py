"""The words of a note in English. $...$ is a formula, *...* a term that is defined, `...` code, {...} is put in."""

COMMA, AND, FULL_STOP = ", ", " and ", "."
PHRASES: dict[str, str] = {}

HEADINGS = {
    "notation": "Notation", "equations": "Equations", "forward": "Forward", "backward": "Backward",
    "steps": "Backward, step by step", "gradients": "Gradients", "gradient": "Gradient", "chain": "Chain rule",
    "path": "From {variable} to the loss", "update": "Update", "cost": "Cost", "assumption": "Assumption",
    "assumptions": "Assumptions", "conventions": "Conventions", "convention": "Convention",
}

WORDS = {
    # ---- notation
    "size": "The size is {sizes}.",
    "sizes": "The sizes are {sizes}.",
    "sizes and derived": "The sizes are {sizes}, and {derived}.",
    "size and derived": "The size is {sizes}, and {derived}.",
    "indices": "Indices count from $0$: {ranges}.",
    "indices and sums": "Indices count from $0$: {ranges}; a sum without bounds runs over all values of its index.",
    "columns": "vectors are columns",
    "batch in columns": "the examples of a batch are columns, so that a matrix of the code stands transposed here",
    "ones": r"$\mathbf 1_r$ is the column of $r$ ones",
    "identity": "{symbol} is the identity matrix of $r$ rows",
    "hadamard": r"$\odot$ is the elementwise product",
    "quotient": r"$\oslash$ is the elementwise quotient",
    "diagonal": r"$\operatorname{diag}(\cdot)$ is the diagonal matrix of a vector",
    "diagonal, inverse": r"$\operatorname{diag}(\cdot)$ is the diagonal matrix of a vector and "
                         r"$\operatorname{diag}(\cdot)^{-1}$ its inverse",
    "inner": r"$\langle A, B\rangle = \operatorname{tr}(A^\top B)$",
    "place": r"$\operatorname*{arg\,max}$ is the place of the first of the largest, row by row from $0$",
    "elementwise": "functions and powers act elementwise",
    "bracket": r"$[\,\cdot\,]$ is $1$ where its condition holds and $0$ elsewhere",
    "last of list": ", and ",
    "state": "Row $-1$ of {names} is its initial value; a term whose bracket is $0$ is $0$, whatever it would read.",
    "states": "Rows $-1$ of {names} are their initial values; a term whose bracket is $0$ is $0$, whatever it would "
              "read.",
    "adjoint": "The *adjoint* of {variable} is {meaning}, and {pairing}; in {module} it is {code}.",
    "adjoint and shape": "The *adjoint* of {variable} is {meaning}. It has the shape of {variable}, and {pairing}; "
                         "in {module} it is {code}.",
    "multiplier": "{symbol} is the multiplier of the equation that defines {variable} implicitly: it solves the "
                  "transposed linear system.",
    "triangular": "Lower triangular: {factors}.",
    "tangent": "The *tangent* {symbol} is the derivative of {variable} in the direction.",
    "jacobian": "{symbol} is what the derivative of {variable} by a parameter needs, without the factors that it "
                "shares with others.",
    "block H": "{symbol} holds the second derivatives {derivatives}.",
    "block G": "{symbol} is the Gauss-Newton matrix, in its block of $V$ and $W$.",
    "block F": "{symbol} is the Fisher information, in its block of $V$ and $W$.",
    "abbreviated": "Long names are abbreviated: {names}.",
    "abbreviation": "{symbol} is {code}",
    "labels": "labels",
    "scalar": "scalar",
    "stand-ins": "Write {meanings}.",
    "stand-in": "{formula} for {what}",
    "class probabilities": "the class probabilities",
    "softmax": "the softmax of {variable}",
    "the labels": "the labels",
    "assumption": "{fact}: {equations}.",
    "assumption for one": "since {fact}, that is {equations}, {adjoints} has the short form below.",
    "assumption for several": "since {fact}, that is {equations}, {adjoints} have the short forms below.",
    # ---- backward
    "method": "Take the differential of each line, last to first, substitute it in {pairing}, and read off the "
              "adjoints.",
    "formulas alone": "The adjoints, last line first:",
    "shared": "What several lines read collects what each of them sends back.",
    "steps": "Each line, last to first: its differential is substituted in {pairing}, and what stands before each "
             "differential is an adjoint.",
    "gradient": "The parameter's adjoint:",
    "gradients": "The parameters' adjoints:",
    "gradient from": "The parameter's adjoint, read off from {lines}:",
    "gradients from": "The parameters' adjoints, read off from {lines}:",
    "chain": "The same, factor by factor:",
    "update": "A step of gradient descent at the learning rate {rate} is {step}.",
    "update of several": "A step of gradient descent at the learning rate {rate} is {step}, and likewise for the other "
                         "parameters.",
    "cost": "Operations (additions, multiplications, powers and function values, counted as written): {forward} "
            "forward, {backward} backward. Bytes that lines read and write, 8 a number: {moved} forward, "
            "{moved_back} backward. Bytes kept in between: {kept}.",
    "cost of equations": "Operations (additions, multiplications, powers and function values, counted as written): "
                         "{forward}. Bytes that lines read and write, 8 a number: {moved}.",
    "one step": "Of Newton's method for {unknowns}, one step is counted.",
    "leading terms": "Of long sums, the terms of the highest degree are given.",
    "one way": "{variable} reaches the loss by one path, each variable read by the next.",
    "ways": "{variable} reaches the loss by {number} paths, each variable read by the next.",
    "ways in turns": "The way of {variable} to the loss, each variable read by the next. What is in braces depends on "
                     "itself, and paths go round in it any number of times.",
    "several ways": "A double arrow stands for several ways, told below it.",
    "crossing ways": "What is in parentheses is passed by ways that cross.",
    "paths": "{number} paths",
    "like": "as {stretch}",
    "partings": "Along a path derivatives are multiplied; the products of all paths are added up. What paths have in "
                "common is computed once, as an adjoint, and where they part, what comes back is the sum:",
    "path": "How a change of {variable} reaches the loss, all else held fixed, line by line:",
    "path back": "And back, each adjoint written out:",
    # ---- reasons
    "line": "line {lines}",
    "differential": "its differential",
    "derivatives": "since {formulas}",
    "reused": "the value {formulas} is used again",
    "collected": "collected by what varies",
    "tidied": "simplified",
    "matrix": "in matrix notation",
    "substituted": "{lines} substituted",
    "gathered": "sums exchanged",
    "read": "read off from {lines}",
    "contributions": "the sum of what {lines} send back",
    "brackets": "brackets resolved",
    "assumed": "since {fact}",
    "deviations": "since deviations from a mean sum to 0",
    "constants": "with {formulas}",
    "all written out": "all in one",
}
