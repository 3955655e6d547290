"""한국어 해설의 낱말. $...$ 는 수식, *...* 는 정의하는 용어, `...` 는 코드, {...} 는 채워 넣는 자리.

조사는 수식의 읽는 소리에 따라 달라지지 않도록, 수식 뒤에는 '의', '에서', '입니다' 나 명사를 둔다.
"""

from .phrases_ko import PHRASES as PHRASES

COMMA, AND, FULL_STOP = ", ", ", ", "."

HEADINGS = {
    "notation": "표기", "equations": "식", "forward": "순전파", "backward": "역전파", "steps": "역전파, 한 단계씩",
    "gradients": "기울기", "gradient": "기울기", "chain": "연쇄 법칙", "path": "{variable}에서 손실까지",
    "update": "갱신", "cost": "계산량", "assumption": "가정", "assumptions": "가정", "conventions": "약속",
    "convention": "약속",
}

WORDS = {
    # ---- notation
    "size": "크기를 나타내는 기호는 {sizes}입니다.",
    "sizes": "크기를 나타내는 기호는 {sizes}입니다.",
    "sizes and derived": "크기를 나타내는 기호는 {sizes}이고, 이들로 정해지는 크기는 {derived}입니다.",
    "size and derived": "크기를 나타내는 기호는 {sizes}이고, 이것으로 정해지는 크기는 {derived}입니다.",
    "indices": "첨자는 $0$부터 셉니다: {ranges}.",
    "indices and sums": "첨자는 $0$부터 셉니다: {ranges}. 범위를 적지 않은 합은 그 첨자의 모든 값에 대한 합입니다.",
    "columns": "벡터는 열벡터",
    "batch in columns": "배치의 각 예제는 행렬의 열(코드의 행렬은 여기서 전치되어 있습니다)",
    "ones": r"$\mathbf 1_r$ 기호는 성분이 모두 $1$인 $r$차원 열벡터",
    "identity": "{symbol} 기호는 $r$차 단위행렬",
    "hadamard": r"$\odot$ 기호는 원소별 곱",
    "quotient": r"$\oslash$ 기호는 원소별 나눗셈",
    "diagonal": r"$\operatorname{diag}(\cdot)$ 기호는 벡터를 대각 성분으로 하는 대각행렬",
    "diagonal, inverse": r"$\operatorname{diag}(\cdot)$ 기호는 벡터를 대각 성분으로 하는 대각행렬, "
                         r"$\operatorname{diag}(\cdot)^{-1}$ 기호는 그 역행렬",
    "inner": r"내적은 $\langle A, B\rangle = \operatorname{tr}(A^\top B)$",
    "place": r"$\operatorname*{arg\,max}$ 기호는 최댓값이 처음 나타나는 위치(행 순서로 $0$부터)",
    "elementwise": "함수와 거듭제곱은 원소별 연산",
    "bracket": r"대괄호 $[\,\cdot\,]$ 기호는 조건이 참이면 $1$, 거짓이면 $0$",
    "last of list": ", ",
    "are": "{meanings}입니다.",
    "state": "{names}의 $-1$번째 행은 초깃값입니다. 대괄호가 $0$인 항은 나머지 인수와 상관없이 $0$으로 봅니다.",
    "states": "{names}의 $-1$번째 행은 각각의 초깃값입니다. 대괄호가 $0$인 항은 나머지 인수와 상관없이 $0$으로 봅니다.",
    "adjoint": "변수 {variable}의 *수반 변수*(adjoint)는 {meaning}이며, {pairing}의 관계가 성립합니다. "
               "{module}에서는 {code}라는 이름을 씁니다.",
    "adjoint and shape": "변수 {variable}의 *수반 변수*(adjoint)는 {meaning}입니다. 모양은 {variable}의 모양과 같고, "
                         "{pairing}의 관계가 성립합니다. {module}에서는 {code}라는 이름을 씁니다.",
    "multiplier": "{symbol} 기호는 {variable}의 값을 음함수로 정의하는 식의 승수로, 전치된 선형 방정식의 해입니다.",
    "triangular": "하삼각 행렬: {factors}.",
    "tangent": "변수 {variable}의 *탄젠트*(tangent) {symbol} 기호는 주어진 방향으로의 방향 도함수입니다.",
    "jacobian": "{symbol} 기호는 매개변수에 대한 {variable}의 도함수에서 공통 인수를 뺀 것입니다.",
    "block H": "{symbol} 기호는 이계 도함수 {derivatives}의 블록입니다.",
    "block G": "{symbol} 기호는 가우스-뉴턴 행렬에서 $V$와 $W$에 해당하는 블록입니다.",
    "block F": "{symbol} 기호는 피셔 정보 행렬에서 $V$와 $W$에 해당하는 블록입니다.",
    "abbreviated": "긴 이름은 다음과 같이 줄여 씁니다: {names}.",
    "abbreviation": "{symbol} = {code}",
    "labels": "레이블",
    "scalar": "스칼라",
    "stand-ins": "여기서 {meanings}입니다.",
    "stand-in": "{formula}의 값은 {what}",
    "class probabilities": "클래스 확률",
    "softmax": "{variable}의 소프트맥스",
    "the labels": "원-핫 레이블",
    "assumption": "{fact}: {equations}.",
    "assumption for one": "{fact}: {equations}. 이 가정 덕분에 {adjoints}의 식이 아래처럼 짧아집니다.",
    "assumption for several": "{fact}: {equations}. 이 가정 덕분에 {adjoints}의 식이 아래처럼 짧아집니다.",
    # ---- backward
    "method": "마지막 식부터 거꾸로 각 식의 미분을 구해 {pairing}의 우변에 대입하고, 수반 변수를 읽어 냅니다.",
    "formulas alone": "마지막 식부터 차례로 구한 수반 변수는 다음과 같습니다.",
    "shared": "여러 식에 함께 쓰이는 변수에는 각 식에서 돌아오는 값을 모두 더합니다.",
    "steps": "마지막 식부터 거꾸로, 각 식의 미분을 {pairing}의 우변에 대입합니다. "
             "이때 각 미분 앞에 놓이는 것이 수반 변수입니다.",
    "gradient": "매개변수의 수반 변수, 곧 기울기는 다음과 같습니다.",
    "gradients": "매개변수의 수반 변수, 곧 기울기는 다음과 같습니다.",
    "gradient from": "식 {lines}에서 읽어 낸 매개변수의 수반 변수, 곧 기울기는 다음과 같습니다.",
    "gradients from": "식 {lines}에서 읽어 낸 매개변수의 수반 변수, 곧 기울기는 다음과 같습니다.",
    "chain": "같은 결과를 연쇄 법칙의 인수별로 쓰면 다음과 같습니다.",
    "update": "학습률이 {rate}일 때 경사 하강법의 한 단계는 {step}입니다.",
    "update of several": "학습률이 {rate}일 때 경사 하강법의 한 단계는 {step}입니다. "
                         "나머지 매개변수도 같은 방법으로 갱신합니다.",
    "cost": "연산(덧셈, 곱셈, 거듭제곱, 함숫값 계산)은 식에 적힌 대로 세어 순전파에 {forward}번, 역전파에 {backward}번입니다. "
            "수 하나에 8바이트를 쓸 때 식마다 읽고 쓰는 양은 순전파에서 {moved}바이트, 역전파에서 {moved_back}바이트이며, "
            "역전파를 위해 보관하는 양은 {kept}바이트입니다.",
    "cost of equations": "연산(덧셈, 곱셈, 거듭제곱, 함숫값 계산)은 식에 적힌 대로 세어 모두 {forward}번입니다. "
                         "수 하나에 8바이트를 쓸 때 식마다 읽고 쓰는 양은 {moved}바이트입니다.",
    "one step": "{unknowns} 값을 구하는 뉴턴법은 한 번의 반복만 세었습니다.",
    "leading terms": "항이 많은 합에는 최고차항만 적었습니다.",
    "one way": "{variable}에서 손실에 이르는 경로는 하나입니다. 화살표는 앞의 변수가 뒤의 변수를 계산하는 데 쓰인다는 뜻입니다.",
    "ways": "{variable}에서 손실에 이르는 경로는 모두 {number}개입니다. 화살표는 앞의 변수가 뒤의 변수를 계산하는 데 쓰인다는 뜻입니다.",
    "ways in turns": "{variable}에서 손실에 이르는 경로입니다. 화살표는 앞의 변수가 뒤의 변수를 계산하는 데 쓰인다는 뜻이고, "
                     "중괄호로 묶은 부분은 자기 자신에 의존하므로 경로가 그 안을 몇 번이든 돌 수 있습니다.",
    "several ways": "겹화살표는 여러 경로를 묶은 것으로, 아래에 따로 풀어 적었습니다.",
    "crossing ways": "소괄호 안에는 서로 엇갈리는 경로들이 지나는 변수를 모았습니다.",
    "paths": "경로 {number}개",
    "like": "{stretch}의 경우와 같음",
    "partings": "한 경로에서는 도함수를 곱하고, 모든 경로의 곱을 더합니다. 여러 경로가 함께 지나는 부분은 수반 변수로 "
                "한 번만 계산하며, 경로가 갈라지는 곳에서는 각 갈래에서 돌아오는 값을 더합니다.",
    "path": "다른 값을 모두 고정하고 {variable}의 값만 바꿀 때, "
            "그 변화가 손실에 이르는 과정을 식마다 따라가면 다음과 같습니다.",
    "path back": "거꾸로, 수반 변수를 하나씩 풀어 쓰면 다음과 같습니다.",
    # ---- reasons
    "line": "식 {lines}",
    "differential": "양변의 미분",
    "derivatives": "{formulas}이므로",
    "reused": "{formulas}의 값을 다시 사용",
    "collected": "변수별로 묶음",
    "tidied": "정리",
    "matrix": "행렬로 표기",
    "substituted": "식 {lines}의 미분을 대입",
    "gathered": "합의 순서를 바꿈",
    "read": "식 {lines}에서 읽음",
    "contributions": "식 {lines}에서 돌아오는 값의 합",
    "brackets": "대괄호 정리",
    "assumed": "가정: {fact}",
    "deviations": "평균에서 벗어난 값들의 합은 0",
    "constants": "{formulas}의 값을 대입",
    "all written out": "모두 한 식으로",
}
