"""What a page says beside the note, in each language."""

WORDS = {
    "en": {
        "graph": "Computational graph",
        "graph told": "Values go down the arrows in their shapes; adjoints (dV) come back up.",
        "code": "The generated module",
        "code told": "Point at an equation, or at a line of code, to see what belongs to it.",
        "verification": "Verification",
        "verification told":
            "The largest disagreement of each gradient with each judge, relative to its largest entry.",
        "parameter": "parameter", "verdict": "verdict", "agrees": "agrees", "differs": "differs", "exact": "exact",
        "none": "–", "at most": "at most {0}", "source": "source",
        "explicit SymPy": "explicit SymPy", "finite differences": "finite differences", "hand-written": "hand-written",
        "numerical": "Error of the central difference against the step",
        "step": "step h", "error": "error of the difference",
        "derivation": "Derivation", "symbol": "symbol", "shape": "shape", "meaning": "meaning",
        "table": "Inputs and parameters",
        "scalar": "scalar",
    },
    "ko": {
        "graph": "계산 그래프",
        "graph told": "값은 제 모양대로 화살표를 따라 내려가고, 수반 변수(dV)는 거슬러 올라옵니다.",
        "code": "생성된 모듈",
        "code told": "수식이나 코드 줄에 마우스를 올리면 짝이 되는 부분이 함께 표시됩니다.",
        "verification": "검증",
        "verification told":
            "각 기울기가 판정 방법마다 어긋나는 정도의 최댓값을, 그 기울기의 가장 큰 원소에 대한 비율로 나타냅니다.",
        "parameter": "매개변수", "verdict": "판정", "agrees": "일치", "differs": "불일치", "exact": "정확히 같음",
        "none": "–", "at most": "{0} 이하", "source": "원본",
        "explicit SymPy": "SymPy 스칼라 미분", "finite differences": "수치 미분", "hand-written": "손으로 짠 코드",
        "numerical": "간격에 따른 중앙 차분의 오차",
        "step": "간격 h", "error": "차분의 오차",
        "derivation": "유도", "symbol": "기호", "shape": "모양", "meaning": "뜻",
        "table": "입력과 매개변수",
        "scalar": "스칼라",
    },
}
