"""The steps of a public guide's batch script, in our own words and with the standard library alone.

It is what a person writes who needs no queue: a pool of threads, one lock around the one GPU. Everything is asked of
the stand-ins of the benchmark. Prints one JSON object; a post that fails ends the run.
"""

import http.client
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

ARGS = json.loads(sys.argv[1])
ORIGIN = ARGS["origin"]
HOST = urllib.parse.urlsplit(ORIGIN).netloc
GPU = threading.Lock()
TESSERACT = shutil.which("tesseract")
PIECE_BYTES = 256 * 1024

INSTRUCTIONS = (
    "Describe a TikTok post for people who work with its data. Answer with JSON that has tldr, takeaways, sentiment "
    "and cta, and with nothing else. Use only what you are given."
)


def get_detail(link):
    query = urllib.parse.urlencode({"url": link})
    request = urllib.request.Request(f"{ORIGIN}/tiklive/post-detail/?{query}", headers={"X-Api-Key": "bench"})
    with urllib.request.urlopen(request, timeout=30) as response:
        detail = json.load(response)
    if "aweme_id" not in detail:
        raise RuntimeError(f"no post at {link}")
    return detail


def save(link, path):
    with urllib.request.urlopen(link, timeout=60) as response, open(path, "wb") as file:
        while piece := response.read(PIECE_BYTES):
            file.write(piece)


def to_wav(media, wav):
    command = ["ffmpeg", "-y", "-i", media, "-vn", "-ac", "1", "-ar", "16000", wav]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def post(path, body, headers):
    connection = http.client.HTTPConnection(HOST, timeout=300)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path} answered {response.status}")
    return json.loads(answer)


def transcribe(wav):
    boundary = uuid.uuid4().hex
    with open(wav, "rb") as file:
        sound = file.read()
    fields = {"model": "whisper-1", "response_format": "verbose_json"}
    head = "".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n'
    head += "content-type: audio/wav\r\n\r\n"
    body = head.encode() + sound + f"\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    with GPU:
        return post("/openai/v1/audio/transcriptions", body, headers)


def is_wordless(transcript):
    text = transcript["text"].strip()
    seconds = transcript["duration"]
    return len(text) < 20 or (seconds > 5 and len(text.split()) / seconds < 0.5)


def read_pictures(links, directory):
    """The cover, or each picture of a slideshow."""
    lines = []
    for position, link in enumerate(links if TESSERACT else []):
        path = os.path.join(directory, f"{position}.jpg")
        save(link, path)
        run = subprocess.run([TESSERACT, path, "-"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        lines.append(run.stdout.decode())
    text = "\n".join(lines).strip()
    if TESSERACT and not text:
        raise RuntimeError("nothing was read")
    return text


def summarize(detail, transcript, on_screen):
    author, music = detail["author"], detail["music_info"]
    facts = [
        f"Creator: {author['unique_id']}, {author['follower_count']} followers",
        f"Counters: {detail['play_count']} plays, {detail['digg_count']} likes, {detail['comment_count']} comments",
        f"Sound: {music['title']} by {music['author']}",
        f"Speech: {transcript or 'none'}",
        f"Text in the pictures: {on_screen or 'none'}",
    ]
    body = {
        "model": "claude-haiku-5-5",
        "max_tokens": 600,
        "system": INSTRUCTIONS,
        "messages": [{"role": "user", "content": "\n".join(facts)}],
    }
    headers = {"content-type": "application/json", "x-api-key": "bench", "anthropic-version": "2023-06-01"}
    message = post("/anthropic/v1/messages", json.dumps(body), headers)
    summary = json.loads(message["content"][0]["text"])
    if set(summary) != {"tldr", "takeaways", "sentiment", "cta"}:
        raise RuntimeError("the summary has other fields")
    return summary


def process(link):
    started = time.monotonic()
    detail = get_detail(link)
    with tempfile.TemporaryDirectory() as directory:
        media = os.path.join(directory, "media")
        wav = os.path.join(directory, "sound.wav")
        save(detail["play"] or detail["hdplay"], media)
        to_wav(media, wav)
        transcript = transcribe(wav)
        on_screen = ""
        if is_wordless(transcript):
            on_screen = read_pictures(detail["images"] or [detail["cover"]], directory)
        elif not re.search(r"\w", transcript["text"]):
            raise RuntimeError("nothing was heard")
        summarize(detail, transcript["text"], on_screen)
    return time.monotonic() - started


def cpu(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main():
    own, children = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    if ARGS["mode"] == "serial":
        seconds = [process(link) for link in ARGS["links"]]
    else:
        with ThreadPoolExecutor(ARGS["threads"]) as pool:
            seconds = list(pool.map(process, ARGS["links"]))
    wall = time.monotonic() - started
    report = {
        "posts": len(seconds),
        "seconds": wall,
        "ownCpuSeconds": cpu(resource.RUSAGE_SELF) - own,
        "childrenCpuSeconds": cpu(resource.RUSAGE_CHILDREN) - children,
        "postSeconds": seconds,
    }
    print(json.dumps(report))


main()
