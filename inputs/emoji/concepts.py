"""Which emoji the miniature knows, what their captions call them, and which objects come in several colours.

Names and subgroups are those of Unicode's emoji-test.txt (Unicode Technical Standard 51).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Subgroup of emoji-test.txt -> what a caption calls its members.
CATEGORIES = {
    "face-smiling": "face",
    "face-affection": "face",
    "face-tongue": "face",
    "face-hand": "face",
    "face-neutral-skeptical": "face",
    "face-sleepy": "face",
    "face-unwell": "face",
    "face-hat": "face",
    "face-glasses": "face",
    "face-concerned": "face",
    "face-negative": "face",
    "face-costume": "creature",
    "cat-face": "cat face",
    "monkey-face": "animal",
    "emotion": "heart",
    "animal-mammal": "animal",
    "animal-bird": "bird",
    "animal-amphibian": "animal",
    "animal-reptile": "reptile",
    "animal-marine": "sea animal",
    "animal-bug": "insect",
    "plant-flower": "flower",
    "plant-other": "plant",
    "food-fruit": "fruit",
    "food-vegetable": "vegetable",
    "food-prepared": "food",
    "food-asian": "food",
    "food-marine": "sea animal",
    "food-sweet": "dessert",
    "drink": "drink",
    "transport-ground": "vehicle",
    "transport-water": "boat",
    "transport-air": "aircraft",
    "sky & weather": "weather",
    "event": "celebration",
    "sport": "sport",
    "game": "game",
    "clothing": "clothes",
    "musical-instrument": "instrument",
    "sound": "sound",
    "light & video": "device",
    "book-paper": "book",
    "tool": "tool",
    "geometric": "shape",
}

# Members that are signs, text, places, scenes that 32 pixels do not show, or another of the same look.
LEFT_OUT = re.compile(
    r"skull and crossbones|love letter|kiss mark|hundred points|anger symbol|collision|dizzy|sweat droplets|"
    r"dashing away|hole|bomb|.*bubble|thought balloon|speech balloon|zzz|heart exclamation|station|bus stop|"
    r"motorway|railway track|oil drum|fuel pump|.*traffic light|stop sign|construction|anchor|seat|satellite|"
    r"suspension railway|mountain cableway|aerial tramway|light rail|metro|small airplane|"
    r"airplane (departure|arrival)|.*moon|.*moon face|milky way|foggy|fog|water wave|cyclone|"
    r"sun behind (small|large) cloud|cooking|tanabata tree|pine decoration|Japanese dolls|carp streamer|"
    r"wind chime|moon viewing ceremony|reminder ribbon|admission tickets|ticket|ski.*|goal net|cricket game|"
    r"martial arts uniform|flag in hole|slot machine|joker|mahjong.*|flower playing cards|bikini|kimono|"
    r"shopping bags|prayer beads|.*speaker.*|bell with slash|film frames|magnifying glass tilted right|"
    r"camera with flash|rolled-up newspaper|bookmark.*|label|ledger|notebook.*|page.*|newspaper|"
    r"(green|blue|orange) book|chains|link|clamp|water pistol|hammer and (pick|wrench)|"
    r".*(medium|small|medium-small) square|white large square|small .*diamond|.*pointed (up|down)|"
    r"diamond with a dot|radio button|.*square button"
)

# A mirror image would be another thing or show mirrored writing.
NOT_MIRRORED = re.compile(r"left|right|game die|pool 8 ball|dollar|money|zipper|baseball|floppy|tilted")

# Names that take no article: stuff, several pieces, activities.
WITHOUT_ARTICLE = re.compile(
    r"bread|bacon|popcorn|cooked rice|curry rice|sushi|oden|dango|spaghetti|shaved ice|soft ice cream|ice cream|sake|"
    r"meat on bone|herb|rolling on the floor laughing|american football|rugby football|.* hockey|ping pong|badminton|"
    r"tennis|bowling|fire|.*clothes|weather|sport|food"
)
SINGULAR_IN_S = ("octopus", "cactus", "hibiscus", "bus", "trolleybus", "minibus", "glass", "dress", "rhinoceros")

COLOURS = {"red": 0, "orange": 28, "yellow": 54, "green": 120, "blue": 215, "purple": 275, "pink": 325}  # hues, degrees


@dataclass(frozen=True)
class Thing:
    """An object that is recoloured: the emoji that it is made from, and the colours that this one has by itself."""

    emoji: str
    own: str


# By its word in captions.
OBJECTS = {
    "heart": Thing("red heart", "red"),
    "star": Thing("star", "yellow"),
    "balloon": Thing("balloon", "red"),
    "t-shirt": Thing("t-shirt", "blue"),
    "car": Thing("automobile", "red"),
    "rose": Thing("rose", "red"),
    "tulip": Thing("tulip", "pink"),
    "apple": Thing("red apple", "red"),
    "pear": Thing("pear", "yellow green"),
    "lemon": Thing("lemon", "yellow"),
    "umbrella": Thing("closed umbrella", "blue purple"),
    "butterfly": Thing("butterfly", "orange"),
    "fish": Thing("fish", "blue"),
    "bird": Thing("bird", "blue"),
    "frog": Thing("frog", "yellow green"),
    "turtle": Thing("turtle", "green"),
    "snake": Thing("snake", "green yellow"),
    "octopus": Thing("octopus", "red orange"),
    "crab": Thing("crab", "orange red"),
    "whale": Thing("whale", "blue"),
    "dragon": Thing("dragon", "green"),
    "dress": Thing("dress", "blue"),
    "backpack": Thing("backpack", "red"),
    "handbag": Thing("handbag", "orange"),
    "boxing glove": Thing("boxing glove", "red"),
    "gem stone": Thing("gem stone", "blue"),
    "crown": Thing("crown", "yellow"),
    "bell": Thing("bell", "yellow"),
    "guitar": Thing("guitar", "red"),
    "hibiscus": Thing("hibiscus", "red pink"),
    "book": Thing("closed book", "red"),
    "gift": Thing("wrapped gift", "orange red"),
    "mushroom": Thing("mushroom", "orange red"),
    "circle": Thing("red circle", "red"),
    "diamond": Thing("large blue diamond", "blue"),
}


@dataclass(frozen=True)
class Emoji:
    """One emoji that has a picture."""

    name: str
    category: str
    picture: Path

    @property
    def mirrored(self) -> bool:
        """Whether its mirror image is as good."""
        return NOT_MIRRORED.search(self.name) is None


def read_emoji(names: Path, pictures: Path) -> list[Emoji]:
    """The chosen emoji of emoji-test.txt, in its order, that have a picture emoji_u<codes>.png."""
    line_form = re.compile(r"(?P<codes>[0-9A-F ]+); fully-qualified +# \S+ E[\d.]+ (?P<name>.+)")
    found: list[Emoji] = []
    subgroup = ""
    for line in names.read_text(encoding="utf-8").splitlines():
        if line.startswith("# subgroup:"):
            subgroup = line.removeprefix("# subgroup:").strip()
        match = line_form.fullmatch(line)
        if match is None or subgroup not in CATEGORIES or LEFT_OUT.fullmatch(match["name"]):
            continue
        codes = [code.lower() for code in match["codes"].split() if code != "FE0F"]  # the variation selector
        picture = pictures / f"emoji_u{'_'.join(codes)}.png"
        if picture.is_file():
            found.append(Emoji(match["name"].replace("’", "'").lower(), CATEGORIES[subgroup], picture))
    return found


def held_out_pairs(names: set[str]) -> list[tuple[str, str]]:
    """42 pairs (colour, object) that no picture shows: one of every object and a second one of every fifth.

    A pair that an emoji shows by itself ("green apple", a turtle) cannot be held out; the next colour is.
    """
    colours = list(COLOURS)
    pairs: list[tuple[str, str]] = []
    for number, (word, thing) in enumerate(OBJECTS.items()):
        for start in (3 * number,) if number % 5 else (3 * number, 3 * number + 2):
            turn = [colours[(start + i) % len(colours)] for i in range(len(colours))]
            free = [(c, word) for c in turn if c not in thing.own.split() and f"{c} {word}" not in names]
            pairs.append(next(pair for pair in free if pair not in pairs))
    return pairs


def with_article(name: str) -> str:
    """The name after "a" or "an", or bare where English has none."""
    head = re.split(r" (?:with|without|of|on|in|from|behind|blowing|screaming|savoring)\b", name)[0].split()[-1]
    plural = head.endswith("s") and head not in SINGULAR_IN_S
    if plural or WITHOUT_ARTICLE.fullmatch(name):
        return name
    vowel = (name[0] in "aeio" and name != "ewe") or name.startswith(("umb", "unam", "ups"))
    return f"{'an' if vowel else 'a'} {name}"
