"""Characters to scripts and languages: in what is the corpus written?

A script comes from the names of characters in Python's Unicode data, a language from what it
writes most: function words, or a script that has but one. Where that tells too little, it is
unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

WINDOW = 400  # characters of a stretch that is told by itself, whole lines
FEWEST_WORDS = 6  # a shorter stretch is told with what follows
SEEN, LEAD = 0.12, 1.25  # share of function words that tells a language, and times the next one
CLEAR = 0.25  # a share that leaves no doubt
MET = 3  # different function words of two letters and more
FEWEST = 0.02  # of the letters: what is less may be an accident of a stretch
MOST_STRETCHES = 2_000

# Names of characters begin with their script. Two words where the first alone says too little.
_TWO_WORDS = {
    "OLD": "Old", "LINEAR": "Linear", "EGYPTIAN": "Egyptian hieroglyphs", "TAI": "Tai",
    "NEW": "New Tai Lue", "ANATOLIAN": "Anatolian hieroglyphs", "CANADIAN": "Canadian syllabics",
    "KATAKANA-HIRAGANA": "Katakana", "CJK": "Han", "IDEOGRAPHIC": "Han", "KANGXI": "Han",
    "MEROITIC": "Meroitic", "INSCRIPTIONAL": "Inscriptional", "IMPERIAL": "Imperial Aramaic",
    "PAU": "Pau Cin Hau", "PSALTER": "Psalter Pahlavi", "ZANABAZAR": "Zanabazar", "OL": "Ol Chiki",
    "MASARAM": "Masaram Gondi", "GUNJALA": "Gunjala Gondi", "KHITAN": "Khitan",
    "CAUCASIAN": "Caucasian Albanian", "SYLOTI": "Syloti Nagri",
    "HENTAIGANA": "Hiragana", "HALFWIDTH": "Katakana", "FULLWIDTH": "Latin",
}  # fmt: skip
_NO_SCRIPT = {
    "MODIFIER", "COMBINING", "VARIATION", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER",
    "SUPERSCRIPT", "SUBSCRIPT", "FEMININE", "MASCULINE", "MICRO", "OHM", "KELVIN", "ANGSTROM",
    "ROMAN", "ALEF", "BET", "GIMEL", "DALET", "TURNED", "EULER", "PLANCK", "INFORMATION", "ZERO",
}  # fmt: skip
_BLOCKS = (
    (0x3400, 0x4DBF, "Han"), (0x4E00, 0x9FFF, "Han"), (0xF900, 0xFAFF, "Han"),
    (0x20000, 0x3FFFF, "Han"), (0x12000, 0x1254F, "Cuneiform"),
    (0x13000, 0x143FF, "Egyptian hieroglyphs"), (0x17000, 0x18CFF, "Tangut"),
    (0xE000, 0xF8FF, "private use"), (0xF0000, 0x10FFFF, "private use"),
    (0x370, 0x373, "Greek"), (0xAC00, 0xD7FF, "Hangul"),
)  # fmt: skip

# Scripts written without spaces, and how many of their letters make about a word of others.
LETTERS_PER_WORD = {
    "Han": 1.5, "Hiragana": 2.5, "Katakana": 3.0, "Thai": 4.0, "Lao": 4.0, "Khmer": 4.0,
    "Myanmar": 4.0, "Tibetan": 3.0, "Tangut": 1.5, "Yi": 1.5,
}  # fmt: skip
SIGN_SCRIPTS = {
    "Cuneiform", "Egyptian hieroglyphs", "Anatolian hieroglyphs", "Runic", "Ogham", "Linear A",
    "Linear B", "Tangut", "Meroitic", "Cypriot", "Old Turkic", "Old Italic", "Old Hungarian",
}  # fmt: skip
ONE_LANGUAGE = {
    "Armenian": "Armenian", "Georgian": "Georgian", "Thai": "Thai", "Lao": "Lao",
    "Khmer": "Khmer", "Myanmar": "Burmese", "Hangul": "Korean", "Tamil": "Tamil",
    "Telugu": "Telugu", "Kannada": "Kannada", "Malayalam": "Malayalam", "Gujarati": "Gujarati",
    "Gurmukhi": "Punjabi", "Oriya": "Odia", "Sinhala": "Sinhala", "Ethiopic": "Ethiopic languages",
    "Cherokee": "Cherokee", "Thaana": "Dhivehi", "Coptic": "Coptic", "Syriac": "Syriac",
    "Tibetan": "Tibetan", "Gothic": "Gothic", "Hebrew": "Hebrew", "Bengali": "Bengali",
    "Cuneiform": "a language in cuneiform", "Egyptian hieroglyphs": "Egyptian",
    "Ugaritic": "Ugaritic", "Avestan": "Avestan", "Old Persian": "Old Persian",
    "Glagolitic": "Old Church Slavonic",
}  # fmt: skip

# The words that a language writes most; a language is told by the share of words among them.
FUNCTION_WORDS = {
    "Latin": {
        "English": "the of and to in a that is was he for it with as his on be at by i this "
        "had not are but from or have an they which you were all her she there would their "
        "him been has when who will no if out so what up said my me we your do",
        "German": "der die und in den von zu das mit sich des auf für ist im dem nicht ein "
        "eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch "
        "wie einem über einen so zum war haben nur oder aber vor zur bis ich wir du mir",
        "French": "de la le et les des en un du une que est pour qui dans a par plus pas au "
        "sur ne se ce il sont avec son on elle nous vous mais ou si leur y dont je lui tout "
        "fait c'est qu'il d'un",
        "Spanish": "de la que el en y a los se del las un por con no una su para es al lo "
        "como más o pero sus le ha me si sin sobre este ya entre cuando todo esta ser son dos "
        "también fue había",
        "Portuguese": "de a o que e do da em um para com não uma os no se na por mais as dos "
        "como mas ao ele das à seu sua ou quando muito nos já eu também só pelo pela até isso "
        "ela",
        "Italian": "di e il la che in un a per è una non del si da i le con sono della al lo "
        "come più dei nel alla gli ma ha anche dal se o su nella mi ho ci questo io",
        "Dutch": "de van het een en in is dat op te zijn met voor niet die aan er om als ook "
        "bij maar door over dan uit naar hij nog wel worden of tot ze ik je wordt heeft",
        "Polish": "w i na z się do nie że to o jest jak po za od co a ale tak przez dla czy "
        "być już tylko przy który która ich jego ma był",
        "Czech": "a se v na je že o s z do i to k ve pro za by ale si po jako jsem od které "
        "který tak už být jeho byl bylo není při",
        "Swedish": "och i att det som en på är av för med den till inte har de om ett han men "
        "var jag sig från så vi kan när nu eller ut hon man hade",
        "Danish or Norwegian": "og i at det er en til af på for med der som den de har ikke "
        "et av om han men var jeg seg sig fra så vi kan eller hun blev ble å hadde havde",
        "Finnish": "ja on ei se että hän oli ovat mutta kun niin joka myös kuin sen tai jo "
        "nyt ole hänen olen minä ne mitä vain olisi",
        "Turkish": "ve bir bu da de için ile ne o çok gibi daha olarak var kadar olan ben "
        "değil en sonra ki mi her ama diye",
        "Hungarian": "a az és hogy nem is egy ez meg volt csak de ha már mint el van azt még "
        "ki le vagy olyan",
        "Romanian": "de și în a la cu pe o că nu un din care se mai pentru este sau dar au fi "
        "al ce lui ca",
        "Indonesian or Malay": "yang dan di untuk dengan dari ini dalam itu tidak pada adalah "
        "ke akan ada juga oleh sebagai mereka saya bisa orang telah karena kami",
        "Vietnamese": "và của là có trong cho không được các một với những người đã này để "
        "khi từ đến như cũng về ra",
        "Swahili": "ya na wa kwa ni katika la za cha kama hii yake huyo wote mtu watu "
        "akamwambia lakini yeye bwana",
        "Zulu or Xhosa": "ukuba ke kuye yakhe kwaye uyesu yena wathi lowo ngokuba kwabo abo "
        "bona kodwa",
        "Lithuanian": "ir į kad su iš tai jis bet o nuo per buvo kaip yra jo ne ant aš jų",
        "Latvian": "un ir no uz ar ka to viņš bet kas par tas kā viņa lai viņu jūs tad jo",
        "Esperanto": "la de kaj en estas al ke li mi ne por kun kiu sed ni ĝi vi ili ties oni",
        "Toki Pona": "li e la pi mi ona sina ni jan pona toki ale en ala tawa lon tan taso",
        "Latin": "et in non est ad ut cum qui quod ex sed a de quae per si atque ab nec quam "
        "ac esse autem enim eius sunt hoc me te se quid",
        "Old Norse": "ok er ek at en í á þat um hann þá sem til þér né mér þú eða of við þeir "
        "skal mun var þau honum sá hon",
        "Old English": "ond þæt þe ic he on to se ða þa wæs him mid for his þam þone ne swa "
        "ofer under",
        "Sanskrit": "ca na iti eva vā hi tat tu sa vai te yat me mā tam ha api yaḥ atha asya "
        "enam ye tvā naḥ saḥ yad ahaṃ tvam agne iva asi asmai",
    },
    "Cyrillic": {
        "Russian": "и в не на что я с он как это а то все по но его к у она из за мы так же "
        "от бы было ты вы о да ее мне был для только меня еще нет когда уже если или ни быть",
        "Ukrainian": "і в не на що я з він як це а то та у по але його до вона за ми так же "
        "від б було ти ви є бо й про їх ж для",
        "Belarusian": "і ў не на што я з ён як гэта а то да па але яго у яна за мы так жа ад "
        "б было ты вы калі",
        "Bulgarian": "и в не на че да се от за с той като това си по но го е аз са ще до бе "
        "един ми ни при още",
        "Serbian or Macedonian": "и у је да се на не што са од за су као то а али га сам ће "
        "који би или ја он со",
        "Church Slavonic": "и въ не на же бѣ яко отъ съ ѥго къ по ѥсть его бо ѩко се азъ тъ",
    },
    "Arabic": {
        "Arabic": "في من على إلى أن ما لا التي الذي هذا هو عن كان مع كل هذه أو ذلك قد بعد يا "
        "و",
        "Persian": "و در به از که این را با است برای آن او تا یک هم بود می ای",
        "Urdu": "کے میں کی ہے اور سے کا کو اس نے ہیں پر کہ یہ بھی وہ ہو کر",
    },
    "Devanagari": {
        "Hindi": "के में की है और से का को कि ने पर यह हैं भी एक वह नहीं जो इस कर हो ही",
        "Marathi": "आणि आहे या व तो ते हे की त्या नाही होते मी असे त्याने",
        "Nepali": "छ र को मा यो पनि गर्न भने लागि थियो छन् हो",
        "Sanskrit": "च न एव इति हि तु वा सः तत् तस्य यः अपि तथा ते मे इव स तं यत्",
    },
    "Greek": {
        "Greek": "και το της η να του των με που την για από είναι τα στο δεν τον σε οι ο θα "
        "στην τους",
        "Ancient Greek": "καὶ δὲ τὸ τοῦ τῶν τὴν ἐν ὁ τὸν τῆς γὰρ εἰς οὐ τὰ μὲν τῷ ὡς αὐτοῦ ἐκ "
        "ἡ τοὺς ὅτι",
    },
}  # fmt: skip
OLD_LANGUAGES = {
    "Latin", "Old Norse", "Old English", "Sanskrit", "Akkadian", "Church Slavonic", "Ancient Greek",
    "Classical Chinese", "Coptic", "Syriac", "Gothic", "Ugaritic", "Avestan", "Old Persian",
    "Old Church Slavonic", "Egyptian", "a language in cuneiform", "Egyptian in transcription",
    "Akkadian or Sumerian in transcription",
}  # fmt: skip
MADE_UP = {"Toki Pona"}
# What only a transcription of Egyptian writes, and how much of its letters that is.
_EGYPTIAN = "ꜣꜥꞽꜢꜤ"
_CUNEIFORM = "šŠṣṢṭṬḫḪŋŊ₁₂₃₄₅₆₇₈₉"
_EDGES = ".,;:!?\"'’‘“”„«»()[]*-–—…·"
_LETTER = re.compile(r"[^\W\d_]")


Guess = tuple[str, str, str]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Tongue:
    """A language of the corpus: its share of the letters, and how sure that is."""

    name: str
    share: float
    certainty: str
    evidence: str


@cache
def name_script(point: int) -> str:
    """Return the script of a code point; nothing where many scripts use it.

    >>> [name_script(ord(sign)) for sign in "яα水𒌷ᚠ3⟁"]
    ['Cyrillic', 'Greek', 'Han', 'Cuneiform', 'Runic', '', '']
    """
    for first, last, name in _BLOCKS:
        if first <= point <= last:
            return name
    if unicodedata.category(chr(point)) not in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Mc", "Mn"):
        return ""
    words = unicodedata.name(chr(point), "").split(" ")
    if words[0] in _NO_SCRIPT or not words[0]:
        return ""
    known = _TWO_WORDS.get(words[0], words[0].capitalize())
    return f"{known} {words[1].capitalize()}" if known in ("Old", "Linear", "Tai") else known


def share_scripts(points: np.ndarray) -> dict[str, float]:
    """Return the share of each script among the letters, most first; int64 (0x110000,) counts."""
    found: Counter[str] = Counter()
    for point in np.flatnonzero(points).tolist():
        if name := name_script(point):
            found[name] += int(points[point])
    total = found.total()
    return {name: count / total for name, count in found.most_common()}


def guess_languages(text: str) -> list[Tongue]:
    """Return the languages of a text, by stretches of whole lines, most first."""
    letters: Counter[tuple[str, str]] = Counter()
    reasons: dict[str, str] = {}
    stretches = _list_stretches(text)
    for stretch in stretches[:: 1 + len(stretches) // MOST_STRETCHES]:
        name, certainty, reason, size = guess_language(stretch)
        letters[name, certainty] += size
        reasons.setdefault(name, reason)
    total = letters.total()
    sizes: Counter[str] = Counter()
    for (name, _), size in letters.items():
        sizes[name] += size
    rare = {name for name, size in sizes.items() if size < FEWEST * total and name != UNKNOWN}
    sizes[UNKNOWN] += sum(sizes.pop(name) for name in rare)
    reasons.setdefault(UNKNOWN, "languages of less than 2% each")
    tongues = []
    for name, size in sizes.most_common():
        sure = "sure" if letters[name, "sure"] >= size / 2 else "likely"
        if size:
            certainty = UNKNOWN if name == UNKNOWN else sure
            tongues.append(Tongue(name, size / total, certainty, reasons[name]))
    return tongues


def _list_stretches(text: str) -> list[str]:
    """Return the lines of a text by the script they begin in, short ones together, long in parts.

    Lines of two languages that take turns are so told apart, if their scripts differ.
    """
    stretches: list[str] = []
    held: dict[str, list[str]] = {}
    sizes: Counter[str] = Counter()
    for line in text.split("\n"):
        letter = _LETTER.search(line)
        script = name_script(ord(letter[0])) if letter else ""
        held.setdefault(script, []).append(line)
        sizes[script] += len(line)
        if sizes[script] >= WINDOW:
            sizes[script] = 0
            whole = "\n".join(held.pop(script))
            stretches += [whole[i : i + 4 * WINDOW] for i in range(0, len(whole), 4 * WINDOW)]
    return stretches + ["\n".join(lines) for lines in held.values()]


def guess_language(text: str) -> tuple[str, str, str, int]:
    """Return (language, certainty, why, letters) of a short text; the language may be unknown.

    >>> guess_language("It was the best of times, it was the worst of times")[:2]
    ('English', 'sure')
    """
    counts = Counter(text)
    scripts: Counter[str] = Counter()
    for sign, count in counts.items():
        if name := name_script(ord(sign)):
            scripts[name] += count
    size = scripts.total()
    if not size:
        return UNKNOWN, UNKNOWN, "no letters", 0
    script, most = scripts.most_common(1)[0]
    if most < size / 2:
        script = "Han" if scripts["Hiragana"] + scripts["Han"] > size / 2 else script
    found = _guess_signs(script, scripts, counts, size) or _guess_words(script, text)
    return (*found, size)


def _guess_signs(
    script: str, scripts: Counter[str], counts: Counter[str], size: int
) -> Guess | None:
    """Return what a script alone tells; Han by the signs that a language writes most."""
    if script in ("Han", "Hiragana", "Katakana"):
        if scripts["Hiragana"] + scripts["Katakana"] > 0.05 * size:
            return "Japanese", "sure", "kana among Han signs"
        modern = sum(counts[sign] for sign in "的是了在和這这們们個个說说") / size
        if modern > 0.03:
            return "Chinese", "sure" if modern > 0.05 else "likely", "的, 是, 在 and their like"
        old = sum(counts[sign] for sign in "之不無其兮何君此我相見為爲知未誰者也而於與乎矣") / size
        if size >= 40 and modern < 0.015 and old > 0.02:
            return "Classical Chinese", "likely", "之, 不, 無 and their like without 的 or 了"
        return UNKNOWN, UNKNOWN, "Han signs that tell no language"
    if script in ONE_LANGUAGE:
        name = ONE_LANGUAGE[script]
        several = name in ("Hebrew", "Bengali", "Ethiopic languages", "a language in cuneiform")
        return name, "likely" if several else "sure", f"the script {script}"
    if script != "Latin":
        return None
    if sum(counts[sign] for sign in _EGYPTIAN) > 0.03 * size:
        return "Egyptian in transcription", "likely", "letters such as ꜣ and ꜥ"
    if counts["-"] > 0.1 * size and sum(counts[sign] for sign in _CUNEIFORM) > 0.02 * size:
        return "Akkadian or Sumerian in transcription", "likely", "signs joined by -, with š or ₂"
    return None


def _guess_words(script: str, text: str) -> Guess:
    """Return the language whose function words a text holds most; what only it writes decides."""
    lists = FUNCTION_WORDS.get(script)
    if lists is None:
        return UNKNOWN, UNKNOWN, f"no language known in the script {script}"
    words = Counter(word.strip(_EDGES).lower() for word in text.split())
    number = words.total()
    if number < FEWEST_WORDS:
        return UNKNOWN, UNKNOWN, "too few words"
    shares = []
    for name, held in _word_sets(script).items():
        met = held & words.keys()
        several = sum(len(word) > 1 for word in met) >= MET  # else initials and formulas tell
        shares.append((several * sum(words[word] for word in met) / number, name))
    (share, name), (second, _) = sorted(shares, reverse=True)[:2]
    if share < SEEN or share < LEAD * second:
        return UNKNOWN, UNKNOWN, f"few function words of a language in the script {script}"
    sure = share >= CLEAR and share >= 1.5 * second
    return name, "sure" if sure else "likely", f"{share:.0%} of the words are its function words"


@cache
def _word_sets(script: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(held.split()) for name, held in FUNCTION_WORDS[script].items()}
