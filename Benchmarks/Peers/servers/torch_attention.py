"""PyTorch's `scaled_dot_product_attention`."""

import torch
from protocol import Problem, serve

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class TorchAttention(Problem):
    def __init__(self, request):
        super().__init__(request)
        torch.set_num_threads(request["threads"])
        kind = TYPES[request["element"]]

        def tensor(array):
            return torch.tensor(array).to(kind)

        self.query = tensor(self.queries).unsqueeze(2)
        self.sides = [
            (tensor(self.keys), tensor(self.values)) for _ in range(request["copies"])
        ]
        self.turn = 0

    def prepare(self):
        self.turn = (self.turn + 1) % len(self.sides)

    def run(self):
        key, value = self.sides[self.turn]
        with torch.inference_mode():
            self.result = torch.nn.functional.scaled_dot_product_attention(
                self.query, key, value, scale=self.scale, enable_gqa=True
            )

    def output(self):
        return self.result.float().squeeze(2).numpy()


def make(request):
    return {"torch": torch.__version__} if request is None else TorchAttention(request)


if __name__ == "__main__":
    serve(make)
